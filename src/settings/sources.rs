//! Where settings come from, one over the other, and whether every key is known and of its type.
//!
//! What it says of a wrong key never repeats a text: it may be a secret.

use std::collections::HashMap;
use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde_json::Value;

use super::{DEFAULTS, Fault, Faults};

const PREFIX: &str = "GAVEL__";

/// The defaults, then `file` if given, then the environment's variables.
///
/// # Errors
/// When the file cannot be read, or a key is unknown or of a wrong type.
pub(super) fn merged(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Faults> {
    let (texts, others) = variables(environment);
    let mut builder = Config::builder().add_source(defaults());
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let parsed = source(others).try_parsing(true).list_separator(",").with_list_parse_key("http.allowed_origins");
    let merged = builder.add_source(source(texts)).add_source(parsed).build().map_err(|error| {
        let name = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
        Faults(vec![Fault { key: name, problem: without_excerpt(&error.to_string()) }])
    })?;
    let faults = unknown_and_ill_typed(&merged);
    if faults.is_empty() { Ok(merged) } else { Err(Faults(faults)) }
}

/// The process's own environment; what is not text is nobody's setting.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn defaults() -> File<config::FileSourceString, FileFormat> {
    File::from_str(DEFAULTS, FileFormat::Toml)
}

fn source(variables: HashMap<String, String>) -> Environment {
    Environment::with_prefix("GAVEL").prefix_separator("__").separator("__").source(Some(variables))
}

/// Our variables: those for texts, and those that are numbers, truth values or lists. A text must not be taken for a
/// number because it looks like one: a secret of digits would lose its last ones.
fn variables(
    environment: impl Iterator<Item = (String, String)>,
) -> (HashMap<String, String>, HashMap<String, String>) {
    let known = known();
    environment.filter(|(name, _)| name.starts_with(PREFIX)).partition(|(name, _)| {
        let path = name[PREFIX.len()..].to_lowercase();
        let default = path.split("__").try_fold(&known, |section, key| section.get(key));
        default.is_some_and(Value::is_string)
    })
}

fn known() -> Value {
    Config::builder().add_source(defaults()).build().and_then(Config::try_deserialize).unwrap_or_default()
}

/// The message without the lines that quote the file.
fn without_excerpt(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.contains('|')).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

/// Compares every merged key with the defaults: a key that is not there is unknown; its type must fit.
fn unknown_and_ill_typed(merged: &Config) -> Vec<Fault> {
    let Ok(given) = merged.clone().try_deserialize::<Value>() else {
        return vec![Fault { key: "settings".to_owned(), problem: "cannot be read as sections of keys".to_owned() }];
    };
    let mut faults = Vec::new();
    compare("", &known(), &given, &mut faults);
    faults
}

fn compare(path: &str, right: &Value, given: &Value, faults: &mut Vec<Fault>) {
    if let (Value::Object(right), Value::Object(given)) = (right, given) {
        for (key, value) in given {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match right.get(key) {
                Some(known) => compare(&path, known, value, faults),
                None => faults.push(Fault {
                    problem: format!(
                        "is not a known key; known here: {}",
                        right.keys().cloned().collect::<Vec<_>>().join(", ")
                    ),
                    key: path,
                }),
            }
        }
        return;
    }
    let (wanted, fits) = match right {
        Value::Bool(_) => ("true or false", given.is_boolean()),
        Value::Number(_) => {
            ("a whole number, not negative", given.as_u64().is_some_and(|number| u32::try_from(number).is_ok()))
        }
        Value::String(_) => ("a text in quotes", given.is_string()),
        Value::Array(_) => ("a list of texts", given.as_array().is_some_and(|list| list.iter().all(Value::is_string))),
        Value::Object(_) => ("a section", false),
        Value::Null => ("empty", given.is_null()),
    };
    if !fits {
        let given = match (right, given) {
            (Value::String(_) | Value::Object(_), _) => "what is given".to_owned(),
            (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Null, given) => given.to_string(),
        };
        faults.push(Fault { key: path.to_owned(), problem: format!("{given} is not {wanted}") });
    }
}
