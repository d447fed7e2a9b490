//! One SQL statement: text with its binds in place, typed by what its rows hold.
//!
//! Reads that matter are written as SQL of the right shape (limit first, then join). diesel's own `sql_query` is never
//! kept prepared and `dsl::sql` fragments stop that too; this node is prepared once a connection and kept, and the rows
//! are still loaded by diesel's types.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, HasSqlType};

/// A statement whose rows are of the SQL type `ST`.
pub struct Statement<ST> {
    parts: Vec<Part>,
    kept: bool,
    rows: PhantomData<fn() -> ST>,
}

enum Part {
    Text(&'static str),
    Number(u32),
    Bind(Box<dyn BindValue>),
}

impl<ST> Statement<ST> {
    pub fn new(text: &'static str) -> Self {
        Self {
            parts: vec![Part::Text(text)],
            kept: true,
            rows: PhantomData,
        }
    }

    pub fn text(mut self, text: &'static str) -> Self {
        self.parts.push(Part::Text(text));
        self
    }

    /// A number written into the text, for limits: PostgreSQL keeps no plan for a limit that it does not know.
    pub fn number(mut self, number: u32) -> Self {
        self.parts.push(Part::Number(number));
        self
    }

    /// A value, sent apart from the text.
    pub fn bind<T, V>(mut self, value: V) -> Self
    where
        V: ToSql<T, Pg> + Send + Sync + 'static,
        T: 'static,
        Pg: HasSqlType<T>,
    {
        self.parts.push(Part::Bind(Box::new(Bound {
            value,
            sql_type: PhantomData,
        })));
        self
    }

    /// ` = …` for one value, ` = any(…)` for several. For an array PostgreSQL keeps no plan, since it can't know how many
    /// values there will be; most reads are of one.
    pub fn one_of<T, V>(self, mut values: Vec<V>) -> Self
    where
        V: ToSql<T, Pg> + Send + Sync + 'static,
        Vec<V>: ToSql<Array<T>, Pg>,
        T: 'static,
        Pg: HasSqlType<T> + HasSqlType<Array<T>>,
    {
        match (values.pop(), values.is_empty()) {
            (Some(only), true) => self.text(" = ").bind::<T, V>(only),
            (last, _) => {
                values.extend(last);
                self.text(" = any(").bind::<Array<T>, _>(values).text(")")
            }
        }
    }

    /// Not kept prepared: for the many shapes that filters make, which would fill each connection's memory, and which
    /// want a plan for their values anyhow.
    pub fn planned_each_time(mut self) -> Self {
        self.kept = false;
        self
    }

    pub fn is_kept(&self) -> bool {
        self.kept
    }
}

struct Bound<T, V> {
    value: V,
    sql_type: PhantomData<fn() -> T>,
}

trait BindValue: Send + Sync {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

impl<T, V> BindValue for Bound<T, V>
where
    V: ToSql<T, Pg> + Send + Sync,
    Pg: HasSqlType<T>,
{
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<T, V>(&self.value)
    }
}

impl<ST> QueryFragment<Pg> for Statement<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.kept {
            out.unsafe_to_cache_prepared();
        }
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_sql(text),
                Part::Number(number) => out.push_sql(&number.to_string()),
                Part::Bind(value) => value.push(&mut out)?,
            }
        }
        Ok(())
    }
}

impl<ST> Query for Statement<ST> {
    type SqlType = ST;
}

impl<ST> QueryId for Statement<ST> {
    // The text is the key under which diesel keeps a statement that has no type of its own.
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
