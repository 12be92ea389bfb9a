//! Where settings come from, one over the other, and whether every key is known and of its type.
//!
//! What it says of a wrong key never repeats a text: it may be a secret.

use std::collections::HashMap;
use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde_json::{Map, Value};

use super::{DEFAULTS, Fault, Faults};

const PREFIX: &str = "GAVEL__";

/// What every number here is, at the least: it fits an `u32`. One whose default is not 0 must not be 0.
fn whole_number(default: &Value) -> String {
    let least = u32::from(default.as_u64() != Some(0));
    format!("a whole number from {least} to {}", u32::MAX)
}

/// The defaults, then `file` if given, then the environment's variables: every known key with a value of its type, and
/// what was wrong. An unknown key is left out, and a value of a wrong type is the default, so that the rest can be checked.
///
/// # Errors
/// When the file cannot be read at all.
pub(super) fn merged(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(Value, Vec<Fault>), Faults> {
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
    let given = merged.try_deserialize::<Value>().map_err(|_what_may_be_secret| {
        Faults(vec![Fault { key: "settings".to_owned(), problem: "cannot be read as sections of keys".to_owned() }])
    })?;
    let mut faults = Vec::new();
    let sound = sound("", &known(), given, &mut faults);
    Ok((sound, faults))
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

/// What is given, compared with the defaults: a key that is not there is unknown and left out; where the type does not
/// fit, the default stands.
fn sound(path: &str, right: &Value, given: Value, faults: &mut Vec<Fault>) -> Value {
    let given = match (right, given) {
        (Value::Object(right), Value::Object(given)) => return section(path, right, given, faults),
        (_, given) => given,
    };
    let (wanted, fits) = match right {
        Value::Bool(_) => ("true or false".to_owned(), given.is_boolean()),
        Value::Number(_) => (whole_number(right), given.as_u64().is_some_and(|number| u32::try_from(number).is_ok())),
        Value::String(_) => ("a text in quotes".to_owned(), given.is_string()),
        Value::Array(_) => {
            ("a list of texts".to_owned(), given.as_array().is_some_and(|list| list.iter().all(Value::is_string)))
        }
        Value::Object(_) => ("a section".to_owned(), false),
        Value::Null => ("empty".to_owned(), given.is_null()),
    };
    if fits {
        return given;
    }
    let shown = match (right, given) {
        (Value::String(_) | Value::Object(_), _) => "what is given".to_owned(),
        (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Null, given) => given.to_string(),
    };
    faults.push(Fault { key: path.to_owned(), problem: format!("{shown} is not {wanted}") });
    right.clone()
}

fn section(path: &str, right: &Map<String, Value>, given: Map<String, Value>, faults: &mut Vec<Fault>) -> Value {
    let mut values = right.clone();
    for (key, value) in given {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(known) = right.get(&key) {
            values.insert(key, sound(&path, known, value, faults));
        } else {
            let known = right.keys().cloned().collect::<Vec<_>>().join(", ");
            faults.push(Fault { key: path, problem: format!("is not a known key; known here: {known}") });
        }
    }
    Value::Object(values)
}
