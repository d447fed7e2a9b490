//! Which file goes where: the part `map`, and the places that it names in `operations`.

use std::fmt;

use async_graphql::Value;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::fault::shown;
use super::{Expected, MOST_FILES};
use crate::graphql::{ApiError, Files, Request};
use crate::http::asked::Asked;

/// Makes a place in the operations for each file of the map, in its order.
pub fn apply(map: &[u8], asked: &mut Asked) -> Result<Vec<Expected>, ApiError> {
    let Map(entries) = serde_json::from_slice(map).map_err(|error| {
        wrong(format!(
            "a JSON object is expected that names a path for each file, such as {{\"0\": [\"variables.file\"]}} ({error})"
        ))
    })?;
    if entries.len() > MOST_FILES {
        return Err(ApiError::PayloadTooLarge(format!(
            "map: a request brings at most {MOST_FILES} files."
        )));
    }
    let mut files: Vec<Expected> = Vec::with_capacity(entries.len());
    for (name, paths) in entries {
        let [path] = paths.as_slice() else {
            return Err(wrong(format!(
                "the file {:?} needs one path, and has {}",
                shown(&name),
                paths.len()
            )));
        };
        if files.iter().any(|file| file.name == name) {
            return Err(wrong(format!(
                "the file {:?} stands there twice",
                shown(&name)
            )));
        }
        let (value, its_files) = find(path, asked)?;
        let (upload, delivery) = its_files.expect(path.clone());
        *value = upload.value();
        files.push(Expected { name, delivery });
    }
    Ok(files)
}

/// In the order in which they are written; a name may stand there twice.
struct Map(Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Map;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Map, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = members.next_entry()? {
                    entries.push(entry);
                }
                Ok(Map(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// The null at a path, and the files of the operation that it is in.
fn find<'a>(path: &str, asked: &'a mut Asked) -> Result<(&'a mut Value, &'a mut Files), ApiError> {
    let nothing = || {
        wrong(format!(
            "{:?} is no place among the variables of `operations`",
            shown(path)
        ))
    };
    let mut steps = path.split('.');
    let request = match asked.is_batch {
        true => {
            let at = steps.next().and_then(index).ok_or_else(nothing)?;
            asked.requests.get_mut(at)
        }
        false => asked.requests.first_mut(),
    };
    let Request {
        variables, files, ..
    } = request.ok_or_else(nothing)?;
    if steps.next() != Some("variables") {
        return Err(nothing());
    }
    let name = steps.next().ok_or_else(nothing)?;
    let variables = variables.as_mut().ok_or_else(nothing)?;
    let mut value = variables.get_mut(name).ok_or_else(nothing)?;
    for step in steps {
        value = match value {
            Value::Object(members) => members.get_mut(step),
            Value::List(items) => index(step).and_then(|at| items.get_mut(at)),
            _ => None,
        }
        .ok_or_else(nothing)?;
    }
    match value {
        Value::Null => Ok((value, files.get_or_insert_default())),
        Value::Binary(_) => Err(wrong(format!("{:?} is named for two files", shown(path)))),
        _ => Err(wrong(format!(
            "{:?} must be null in `operations`, as a file is to stand there",
            shown(path)
        ))),
    }
}

fn index(step: &str) -> Option<usize> {
    let is_number = step.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| step.parse().ok()).flatten()
}

fn wrong(why: String) -> ApiError {
    ApiError::BadRequest(format!("map: {why}."))
}
