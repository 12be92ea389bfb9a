//! The house keeps its own rules: who may import whom, heads of files, sizes, names, the top level.
//!
//! Each rule is data or a few lines of text search; the reasons stand in `src/ARCHITECTURE.md`. A test reports all that
//! it finds, not the first. Nothing here builds or runs the program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room → the rooms that it may name. Leaf files ([`LEAVES`]) are free for all but `domain`; [`ROOTS`] may name everything.
const MAY_IMPORT: [(&str, &[&str]); 10] = [
    ("http", &["account", "auction", "bus", "cluster", "domain", "protocol", "session", "store", "web"]),
    ("web", &["account", "domain", "protocol", "store"]),
    ("protocol", &["account", "auction", "bus", "domain", "store"]),
    ("cluster", &["auction", "bus", "domain", "protocol", "store"]),
    ("auction", &["bus", "domain", "store"]),
    ("session", &["account", "bus", "domain", "protocol"]),
    ("account", &["domain", "store"]),
    ("bus", &["domain", "protocol"]),
    ("store", &["domain"]),
    ("domain", &[]),
];

/// Single names that a room may take from a room that it may not import otherwise: who, from where, what.
const MAY_NAME: [(&str, &str, &str); 1] = [("session", "store", "TokenHash")];

/// Files and rooms that put the others together.
const ROOTS: [&str; 4] = ["lib", "main", "app", "cli"];

/// Single files that every room but `domain` may name.
const LEAVES: [&str; 4] = ["clock", "limits", "settings", "telemetry"];

/// Words in code that only these files or folders may say.
const ONLY_IN: [(&str, &[&str]); 13] = [
    ("rusqlite", &["store/"]),
    ("tokio_postgres", &["store/"]),
    ("deadpool_postgres", &["store/"]),
    ("postgres_types", &["store/"]),
    ("refinery", &["store/"]),
    ("redis::", &["bus/"]),
    ("reqwest", &["cluster/"]),
    ("actix_web_actors", &["session/sse.rs"]),
    ("Instant::now", &["clock.rs"]),
    ("SystemTime::now", &["clock.rs"]),
    ("jiff::Timestamp::now", &["clock.rs"]),
    ("Zoned::now", &["clock.rs"]),
    ("Utc::now", &["clock.rs"]),
];

/// Packages that `domain` may name.
const DOMAIN_PACKAGES: [&str; 1] = ["thiserror"];

/// What may stand at the top level, beside hidden files.
const TOP_LEVEL: [&str; 9] =
    ["Cargo.lock", "Cargo.toml", "README.md", "benches", "config", "loadtest", "migrations", "src", "tests"];

/// Names without a noun: what is in such a room could be anywhere.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "manager"];

const LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 600;

/// One source file, with its path from the top level.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The path within `src/`, if it is there.
    fn in_src(&self) -> Option<&str> {
        self.path.strip_prefix("src/")
    }

    /// The room, or the name of a file that lies directly in `src/`.
    fn room(&self) -> Option<&str> {
        let path = self.in_src()?;
        Some(path.split_once('/').map_or_else(|| path.trim_end_matches(".rs"), |(room, _)| room))
    }

    fn is_test(&self) -> bool {
        self.path.contains("tests/") || self.path.ends_with("tests.rs")
    }

    /// The code without comments and without its test modules, which stand at the end.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        text.lines().map(without_comment).collect::<Vec<_>>().join("\n")
    }

    /// How many `super::` lead from this file to the crate's root.
    fn depth(&self) -> usize {
        let path = self.in_src().unwrap_or_default().trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').count()
    }
}

fn without_comment(line: &str) -> &str {
    match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    }
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that git tracks or would track, from the top level.
fn files() -> Vec<String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").current_dir(top()).args(arguments).output().expect("git runs");
    assert!(output.status.success(), "not a git repository: {output:?}");
    let names = String::from_utf8(output.stdout).unwrap();
    let there = |name: &&str| !name.is_empty() && top().join(name).is_file();
    names.split('\0').filter(there).map(str::to_owned).collect()
}

fn sources() -> Vec<Source> {
    let rust = files().into_iter().filter(|path| has_extension(path, "rs"));
    rust.map(|path| Source { text: std::fs::read_to_string(top().join(&path)).unwrap(), path }).collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|its| its == extension)
}

#[track_caller]
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn first_word(text: &str) -> &str {
    &text[..text.find(|letter| !is_word(letter)).unwrap_or(text.len())]
}

/// Where `word` stands in `text` as a path segment or name of its own.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let alone = move |at: &usize| {
        let end = at + word.len();
        let inside = word.ends_with(is_word) && text[end..].starts_with(is_word);
        !text[..*at].ends_with(is_word) && !inside
    };
    text.match_indices(word).map(|(at, _)| at).filter(alone)
}

/// The names that stand first in a path, or in each path of a `{…}` group.
fn heads(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else { return vec![first_word(path)] };
    let (mut depth, mut start, mut names) = (0_usize, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_word(group[start..at].trim_start()));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The rooms and leaf files that `code` names by `crate::`, or by enough `super::` to reach the root.
fn rooms_named(code: &str, depth: usize) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for at in places(code, "crate::") {
        named.extend(heads(&code[at + "crate::".len()..]).into_iter().map(str::to_owned));
    }
    let to_root = "super::".repeat(depth);
    for at in places(code, &to_root) {
        let inner_chain = code[..at].ends_with("super::");
        let rest = &code[at + to_root.len()..];
        if !inner_chain && !rest.starts_with("super::") {
            named.extend(heads(rest).into_iter().map(str::to_owned));
        }
    }
    named
}

/// Whether `room`, whose code this is, may name what it names of `named`.
fn may_name(room: &str, named: &str, allowed: &[&str], code: &str) -> bool {
    let known = MAY_IMPORT.iter().any(|(its, _)| *its == named) || ROOTS.contains(&named);
    let leaf = LEAVES.contains(&named);
    if room == "domain" && leaf {
        return false;
    }
    if !known || leaf || named == room || allowed.contains(&named) {
        return true;
    }
    let path = format!("{named}::");
    let only = MAY_NAME.iter().filter(|(who, from, _)| *who == room && *from == named).map(|(_, _, what)| *what);
    let only = only.collect::<Vec<_>>();
    !only.is_empty() && places(code, &path).all(|at| only.contains(&first_word(&code[at + path.len()..])))
}

#[test]
fn each_room_imports_only_the_rooms_that_it_may() {
    let mut findings = Vec::new();
    for source in sources() {
        let Some(room) = source.room() else { continue };
        if ROOTS.contains(&room) || LEAVES.contains(&room) || source.is_test() {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(its, _)| *its == room) else {
            findings.push(format!("{}: the room `{room}` is not in the table", source.path));
            continue;
        };
        let code = source.code();
        for named in rooms_named(&code, source.depth()) {
            if !may_name(room, &named, allowed, &code) {
                findings.push(format!("{}: `{room}` may not import `{named}`", source.path));
            }
        }
    }
    assert_none(&findings, "who may import whom");
}

#[test]
fn a_single_name_may_be_taken_from_a_room_that_is_closed_otherwise() {
    let allowed = ["bus"];
    assert!(may_name("session", "store", &allowed, "use crate::store::TokenHash;"));
    assert!(!may_name("session", "store", &allowed, "use crate::store::{TokenHash, Store};"));
    assert!(!may_name("session", "store", &allowed, "use crate::store::TokenHash;\nuse crate::store::Store;"));
    assert!(!may_name("bus", "store", &allowed, "use crate::store::TokenHash;"));
}

#[test]
fn only_their_rooms_name_drivers_frameworks_and_time() {
    let mut findings = Vec::new();
    for source in sources() {
        let Some(path) = source.in_src().filter(|_| !source.is_test()) else { continue };
        let code = source.code();
        for (word, rooms) in ONLY_IN {
            let home = rooms.iter().any(|room| path == *room || (room.ends_with('/') && path.starts_with(room)));
            if !home && places(&code, word).next().is_some() {
                findings.push(format!("{}: `{word}` belongs to {}", source.path, rooms.join(", ")));
            }
        }
    }
    assert_none(&findings, "words with a room of their own");
}

#[test]
fn the_domain_knows_std_and_thiserror_only() {
    let manifest = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).expect("there are dependencies");
    let section = section.split("\n[").next().unwrap();
    let packages = section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let packages = packages.map(|(name, _)| name.trim().replace('-', "_")).collect::<Vec<_>>();
    assert!(packages.iter().any(|name| name == "thiserror"), "the packages are read: {packages:?}");
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.room() == Some("domain") && !source.is_test()) {
        let code = source.code();
        for package in packages.iter().filter(|package| !DOMAIN_PACKAGES.contains(&package.as_str())) {
            if places(&code, &format!("{package}::")).next().is_some() {
                findings.push(format!("{}: names {package}", source.path));
            }
        }
        for word in ["async ", ".await", "println", "std::fs", "std::net", "std::time", "std::thread", "std::env"] {
            if code.contains(word) {
                findings.push(format!("{}: says `{}`", source.path, word.trim()));
            }
        }
    }
    assert_none(&findings, "the domain is pure");
}

#[test]
fn each_file_says_at_its_head_what_it_is() {
    let mut findings = Vec::new();
    for source in sources() {
        let crate_docs = source.path == "src/lib.rs" && source.text.starts_with("#![doc = include_str!(");
        if !source.text.starts_with("//! ") && !crate_docs {
            findings.push(source.path);
        }
    }
    assert_none(&findings, "files without a `//!` head");
}

#[test]
fn files_are_small() {
    let mut findings = Vec::new();
    for source in sources() {
        let maximum = if source.is_test() { TEST_LINES_MAX } else { LINES_MAX };
        let lines = source.text.lines().count();
        if lines > maximum {
            findings.push(format!("{}: {lines} lines, at most {maximum}", source.path));
        }
    }
    assert_none(&findings, "files that are too long");
}

#[test]
fn no_room_has_an_empty_name() {
    let mut findings = Vec::new();
    for source in sources() {
        let path = PathBuf::from(source.path.trim_end_matches(".rs"));
        if path.iter().any(|part| EMPTY_NAMES.iter().any(|name| part == *name)) {
            findings.push(source.path);
        }
    }
    assert_none(&findings, "names that say nothing");
}

#[test]
fn the_top_level_holds_nothing_else() {
    let entries = files().into_iter().map(|path| path.split('/').next().unwrap().to_owned());
    let others = entries.filter(|entry| !entry.starts_with('.') && !TOP_LEVEL.contains(&entry.as_str()));
    let others = others.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    assert_none(&others, "not at the top level");
    let missing = TOP_LEVEL.iter().filter(|name| !top().join(name).exists()).map(|&name| name.to_owned());
    assert_none(&missing.collect::<Vec<_>>(), "missing at the top level");
}

#[test]
fn the_map_in_architecture_names_every_room() {
    let architecture = std::fs::read_to_string(top().join("src/ARCHITECTURE.md")).expect("src/ARCHITECTURE.md");
    let mut findings = BTreeSet::new();
    for path in files() {
        let Some((room, _)) = path.strip_prefix("src/").and_then(|path| path.split_once('/')) else { continue };
        if !architecture.contains(&format!("{room}/")) {
            findings.insert(room.to_owned());
        }
    }
    assert_none(&findings.into_iter().collect::<Vec<_>>(), "rooms that ARCHITECTURE.md does not name");
}

#[test]
fn no_file_bears_traces_of_a_machine() {
    // Put together here, so that this file does not find itself.
    let folders = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    let hosts = [
        ("registry.", "npmjs"),
        ("index.", "crates"),
        ("static.", "crates"),
        ("pypi.", "org"),
        ("files.", "pythonhosted"),
        ("deb.", "debian"),
    ];
    let hosts = hosts.map(|(first, second)| format!("{first}{second}"));
    let mut findings = Vec::new();
    for path in files() {
        let bytes = std::fs::read(top().join(&path)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().enumerate() {
            let folder = folders.iter().find(|folder| absolute(line, folder));
            let host = hosts.iter().find(|host| line.contains(*host));
            if let Some(trace) = folder.or(host) {
                findings.push(format!("{path}:{}: {trace}", number + 1));
            }
        }
    }
    assert_none(&findings, "traces of a machine");
}

/// Whether `folder` stands in `line` as the beginning of an absolute path.
fn absolute(line: &str, folder: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    let begins = |letter: Option<char>| letter.is_none_or(|letter| !is_word(letter) && !"./-*}~)".contains(letter));
    line.match_indices(folder).any(|(at, _)| begins(before(at)))
}

#[test]
fn imports_are_read_in_each_form() {
    let named = |code: &str, depth| rooms_named(code, depth).into_iter().collect::<Vec<_>>();
    assert_eq!(named("use crate::store::Store;", 2), ["store"]);
    assert_eq!(named("use crate::{bus::{Bus, memory}, domain, limits as l};", 2), ["bus", "domain", "limits"]);
    assert_eq!(named("let x: crate::domain::Span = mycrate::y::z();", 2), ["domain"]);
    assert_eq!(named("use super::{Sibling, other};\nuse super::super::http::Door;", 2), ["http"]);
    assert_eq!(named("use super::http::Door;", 1), ["http"]);
    assert_eq!(named("use super::super::sibling;", 3), Vec::<String>::new());
}

#[test]
fn comments_and_test_modules_are_not_code() {
    let text = "//! crate::http\nuse crate::bus; // crate::web\n#[cfg(test)]\nmod tests {\n    use crate::store;\n}\n";
    let source = Source { path: "src/auction/x.rs".to_owned(), text: text.to_owned() };
    assert_eq!(rooms_named(&source.code(), source.depth()).into_iter().collect::<Vec<_>>(), ["bus"]);
}

#[test]
fn traces_are_found_only_where_a_path_begins() {
    let folder = format!("/{}/", "home");
    assert!(absolute(&format!("cd {folder}me"), &folder));
    assert!(absolute(&format!("\"{folder}me\""), &folder));
    assert!(!absolute(&format!("src{folder}page.rs"), &folder));
    assert!(!absolute(&format!("https://example.com{folder}"), &folder));
}
