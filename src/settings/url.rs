//! Where the store and the bus are. A password in a URL never shows: neither in `Debug` nor in `Display`.

use std::fmt;
use std::path::PathBuf;

/// Where committed data lives.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, whole; for the driver only.
    Postgres(String),
}

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What would be right. It repeats nothing of the text, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return file(path).map(Self::Sqlite);
        }
        let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) else {
            return Err(format!(
                "{} is not `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`",
                kind(text)
            ));
        };
        let (authority, rest) = authority(rest)?;
        if authority.is_empty() && !rest.contains("host=") {
            return Err("the Postgres URL lacks the host".to_owned());
        }
        Ok(Self::Postgres(text.to_owned()))
    }
}

/// The file that `sqlite:` names. What `SQLite` itself takes for no file is none here either: a database in memory
/// is gone with the process, and each connection would have one of its own.
fn file(path: &str) -> Result<PathBuf, String> {
    if path.is_empty() {
        Err("`sqlite:` lacks the path".to_owned())
    } else if path.starts_with(':') || path.starts_with("file:") {
        Err("`sqlite:` takes a file's path, such as `sqlite:data/gavel.db`; there is no store in memory, since what was \
             acknowledged must survive (for a file whose name starts so, write `sqlite:./…`)"
            .to_owned())
    } else {
        Ok(path.into())
    }
}

/// How events reach the sessions.
#[derive(Clone, PartialEq, Eq)]
pub enum BusUrl {
    /// `memory:`
    Memory,
    /// `redis://USER:PASSWORD@HOST:PORT/NUMBER`, whole; for the driver only.
    Redis(String),
}

impl BusUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What would be right. It repeats nothing of the text, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        let Some(rest) = text.strip_prefix("redis://") else {
            return Err(format!("{} is not `memory:` or `redis://USER:PASSWORD@HOST:PORT/NUMBER`", kind(text)));
        };
        let (host, database) = authority(rest)?;
        let (host, port) = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).unwrap_or((host, "6379"));
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err("the Redis URL lacks the host, or its port is no number up to 65535".to_owned());
        }
        let database = database.trim_start_matches('/').split('?').next().unwrap_or_default();
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return Err("what follows the host in the Redis URL is a database's number".to_owned());
        }
        Ok(Self::Redis(text.to_owned()))
    }
}

/// What stands between an optional `USER:PASSWORD@` and the path, and the rest.
fn authority(rest: &str) -> Result<(&str, &str), String> {
    let after_user = rest.split_once('@').map_or(rest, |(_, host)| host);
    let end = after_user.find(['/', '?']).unwrap_or(after_user.len());
    let (authority, rest) = after_user.split_at(end);
    if authority.contains('@') || rest.contains('@') {
        return Err("in a user's name or password `@` is written %40, `:` %3A and `/` %2F".to_owned());
    }
    if authority.contains(char::is_whitespace) {
        return Err("there is a space in the URL".to_owned());
    }
    Ok((authority, rest))
}

/// The scheme of a text, if it looks like one: nothing else of it may be told.
fn kind(text: &str) -> String {
    match text.split_once(':') {
        Some((scheme, _)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            format!("`{scheme}:…`")
        }
        Some(_) | None => "what is given".to_owned(),
    }
}

/// The URL without user, password and parameters.
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    let (user, rest) = rest.split_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let (place, parameters) = rest.split_once('?').map_or((rest, ""), |(place, _)| (place, "?…"));
    format!("{scheme}://{user}{place}{parameters}")
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            Self::Postgres(url) => out.write_str(&public(url)),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => out.write_str("memory:"),
            Self::Redis(url) => out.write_str(&public(url)),
        }
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_store_and_bus_is_read() {
        assert_eq!(StoreUrl::parse("sqlite:data/x.db"), Ok(StoreUrl::Sqlite("data/x.db".into())));
        for url in [
            "postgres://gavel@db/gavel",
            "postgresql://gavel:p%40ss@db.example:5433/gavel?sslmode=disable",
            "postgres://gavel@/gavel?host=%2Frun%2Fpostgresql",
        ] {
            assert_eq!(StoreUrl::parse(url), Ok(StoreUrl::Postgres(url.to_owned())), "{url}");
        }
        assert_eq!(BusUrl::parse("memory:"), Ok(BusUrl::Memory));
        for url in ["redis://127.0.0.1", "redis://:secret@cache:6380/3", "redis://[::1]:6379/", "redis://[::1]"] {
            assert_eq!(BusUrl::parse(url), Ok(BusUrl::Redis(url.to_owned())), "{url}");
        }
    }

    #[test]
    fn a_store_in_memory_is_a_fault_that_says_so() {
        for url in ["sqlite::memory:", "sqlite:file::memory:?cache=shared", "sqlite:file:gavel.db"] {
            let said = StoreUrl::parse(url).unwrap_err();
            assert!(said.contains("there is no store in memory"), "{url}: {said}");
        }
        assert_eq!(StoreUrl::parse("sqlite:./:memory:"), Ok(StoreUrl::Sqlite("./:memory:".into())));
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_a_password() {
        for url in [
            "sqlite:",
            "mysql://u:hunter2@h/d",
            "postgres://",
            "postgres://u:hunter2@x@h/d",
            "host=h password=hunter2",
            "hunter2",
            "postgres://u:hunter2@ h/d",
            "postgres://u:hunter2@/d",
        ] {
            let said = StoreUrl::parse(url).unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
        for url in
            ["redis:", "redis://", "redis://:hunter2@", "redis://:hunter2@h:port", "redis://:hunter2@h/name", "pigeon:"]
        {
            let said = BusUrl::parse(url).unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn nobody_sees_a_user_or_a_password() {
        let store = StoreUrl::parse("postgres://gavel:hunter2@db:5432/gavel?password=hunter3").unwrap();
        assert_eq!(format!("{store} {store:?}"), "postgres://***@db:5432/gavel?… postgres://***@db:5432/gavel?…");
        let bus = BusUrl::parse("redis://:hunter2@cache:6379/1").unwrap();
        assert_eq!(format!("{bus} {bus:?}"), "redis://***@cache:6379/1 redis://***@cache:6379/1");
        assert_eq!(BusUrl::parse("redis://cache").unwrap().to_string(), "redis://cache");
    }
}
