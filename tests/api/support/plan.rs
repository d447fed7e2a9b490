//! How PostgreSQL runs what the service asks it: the statements are written down as they go out, explained and run again.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use serde_json::Value;
use tokio_postgres::Client;

thread_local! {
    /// Where what this thread runs is written down: other tests run beside this one.
    static NOTEBOOK: RefCell<Option<Notebook>> = const { RefCell::new(None) };
}

/// The statements that ran, as diesel tells of each before it goes out.
#[derive(Clone, Default)]
pub struct Notebook(Arc<Mutex<Vec<String>>>);

impl Notebook {
    /// Runs a test on threads of its own, whose statements are written down.
    pub fn run<F: Future>(test: impl FnOnce(Self) -> F) -> F::Output {
        diesel::connection::set_default_instrumentation(recorder).unwrap();
        let notebook = Self::default();
        let own = notebook.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(move || NOTEBOOK.set(Some(own.clone())))
            .enable_all()
            .build()
            .unwrap();
        NOTEBOOK.set(Some(notebook.clone()));
        runtime.block_on(test(notebook))
    }

    /// What has run since this was asked before, but for how a connection begins.
    pub fn take(&self) -> Vec<String> {
        let mut written = std::mem::take(&mut *self.0.lock().unwrap());
        written.retain(|statement| !statement.starts_with("SET "));
        written
    }
}

fn recorder() -> Option<Box<dyn Instrumentation>> {
    let notebook = NOTEBOOK.with_borrow(Clone::clone)?;
    Some(Box::new(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            notebook.0.lock().unwrap().push(query.to_string());
        }
    }))
}

/// A statement with its values, as PostgreSQL takes them in `execute`.
pub struct Statement {
    pub text: String,
    pub types: Vec<&'static str>,
    pub values: Vec<String>,
}

impl Statement {
    /// From diesel's own print of it: `select … -- binds: [1, "text", [2, 3]]`.
    pub fn read(print: &str) -> Self {
        let (text, binds) = print.rsplit_once(" -- binds: ").unwrap();
        let binds = binds
            .strip_prefix('[')
            .and_then(|binds| binds.strip_suffix(']'));
        let values = items(binds.unwrap());
        Self {
            text: text.to_owned(),
            types: values.iter().map(|value| type_of(value)).collect(),
            values: values.iter().map(|value| literal(value)).collect(),
        }
    }

    /// How long PostgreSQL takes to answer it, planned for its values.
    pub async fn time(&self, client: &Client) -> Duration {
        let values = self.prepare(client, Planned::ForTheValues).await;
        let began = Instant::now();
        let run = format!("execute page{values}");
        client.simple_query(&run).await.unwrap();
        let took = began.elapsed();
        client.batch_execute("deallocate page").await.unwrap();
        took
    }

    /// Runs it, and tells how.
    pub async fn explain(&self, client: &Client, planned: Planned) -> Plan {
        let values = self.prepare(client, planned).await;
        let explain =
            format!("explain (analyze, buffers, timing off, format json) execute page{values}");
        let explained = client
            .simple_query(&explain)
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {} {values}", self.text));
        client.batch_execute("deallocate page").await.unwrap();
        let json: String = explained
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            })
            .collect();
        let json: Value = serde_json::from_str(&json).unwrap();
        Plan::read(&json[0]["Plan"])
    }

    /// Under the name `page`; its values, as `execute` takes them.
    async fn prepare(&self, client: &Client, planned: Planned) -> String {
        let mode = match planned {
            Planned::ForTheValues => "force_custom_plan",
            Planned::OnceForAll => "force_generic_plan",
        };
        let Statement {
            text,
            types,
            values,
        } = self;
        let list = |items: String| match items.is_empty() {
            true => items,
            false => format!("({items})"),
        };
        let (types, values) = (list(types.join(", ")), list(values.join(", ")));
        client
            .batch_execute(&format!(
                "set plan_cache_mode = {mode}; prepare page {types} as {text}"
            ))
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {text}"));
        values
    }
}

/// PostgreSQL finds out by itself what a value must be, but not of what a list is.
fn type_of(value: &str) -> &'static str {
    match value.strip_prefix('[') {
        None => "unknown",
        Some(list) if list.starts_with('"') => "text[]",
        Some(list) if list.contains('-') => "uuid[]",
        Some(_) => "smallint[]",
    }
}

/// The items of a list in Rust's notation: commas in strings and in lists of their own part nothing.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut in_text, mut escaped, mut from) = (0, false, false, 0);
    let mut items = Vec::new();
    for (at, letter) in list.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                items.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    if !list[from..].trim().is_empty() {
        items.push(list[from..].trim());
    }
    items
}

/// In quotes, which stand for any type.
fn literal(value: &str) -> String {
    let plain = match (value.strip_prefix('['), value.starts_with('"')) {
        (Some(list), _) => {
            let list = items(list.strip_suffix(']').unwrap());
            format!("{{{}}}", list.join(","))
        }
        (None, true) => serde_json::from_str(value).unwrap(),
        (None, false) => value.to_owned(),
    };
    format!("'{}'", plain.replace('\'', "''"))
}

/// The plan of a statement that ran, in what matters here.
#[derive(Debug, Default)]
pub struct Plan {
    pub indexes: BTreeSet<String>,
    /// Tables read from end to end.
    pub scanned: BTreeSet<String>,
    /// The most rows that any of it sorted.
    pub sorted: u64,
    /// Rows of tables that were looked at, whether or not they were of use.
    pub rows: u64,
    /// The pages that were looked at.
    pub buffers: u64,
}

impl Plan {
    fn read(node: &Value) -> Self {
        let mut plan = Self {
            buffers: node["Shared Hit Blocks"].as_u64().unwrap()
                + node["Shared Read Blocks"].as_u64().unwrap(),
            ..Self::default()
        };
        plan.visit(node);
        plan
    }

    fn visit(&mut self, node: &Value) {
        let text = |key: &str| node[key].as_str().map(str::to_owned);
        self.indexes.extend(text("Index Name"));
        if node["Node Type"] == "Seq Scan" {
            self.scanned.extend(text("Relation Name"));
        }
        if node["Relation Name"].is_string() {
            let of = |key: &str| node[key].as_f64().unwrap_or_default();
            let each = of("Actual Rows")
                + of("Rows Removed by Filter")
                + of("Rows Removed by Index Recheck");
            self.rows += (each * of("Actual Loops")) as u64;
        }
        let below = node["Plans"].as_array().map_or(&[][..], Vec::as_slice);
        if node["Node Type"] == "Sort" {
            let rows = |node: &Value| node["Actual Rows"].as_f64().unwrap();
            self.sorted = self.sorted.max(below.iter().map(rows).sum::<f64>() as u64);
        }
        for node in below {
            self.visit(node);
        }
    }
}

/// Whether PostgreSQL knows the values when it plans. A statement that is kept prepared may be planned once for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    ForTheValues,
    OnceForAll,
}
