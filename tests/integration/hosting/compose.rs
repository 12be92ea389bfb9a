//! The compose file, as far as it can be checked without containers: its form, its settings, the files that it names.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{gavel, soon};

const SECRETS: [(&str, &str); 3] = [
    ("GAVEL_DB_PASSWORD", "hunter2db"),
    ("GAVEL_REDIS_PASSWORD", "hunter2redis"),
    ("GAVEL_SECRET", "hunter2-hunter2-hunter2"),
];

fn config() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"))
}

fn compose() -> Value {
    let text = std::fs::read_to_string(config().join("compose.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// `${NAME:?message}` and `${NAME:-default}` as compose fills them in.
fn filled(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (inner, after) = rest.split_once('}').unwrap();
    let (name, default) = inner.split_once(":-").unwrap_or_else(|| inner.split_once(":?").unwrap());
    let value = SECRETS.iter().find(|(its, _)| *its == name).map_or(default, |(_, value)| *value);
    format!("{before}{value}{}", filled(after))
}

fn environment(service: &Value) -> BTreeMap<String, String> {
    let all = service["environment"].as_object().unwrap();
    all.iter().map(|(name, value)| (name.clone(), filled(value.as_str().unwrap()))).collect()
}

async fn check_config(environment: BTreeMap<String, String>) -> Output {
    let home = TempDir::new().unwrap();
    let mut command = gavel(&["check-config", "--config"]);
    command.arg(config().join("cluster.toml")).envs(environment).current_dir(home.path());
    soon("a command's end", command.output()).await.unwrap()
}

#[tokio::test]
async fn each_node_of_the_compose_file_has_settings_without_a_fault_and_its_own_name() {
    let compose = compose();
    let mut names = Vec::new();
    for node in ["node1", "node2", "node3"] {
        let service = &compose["services"][node];
        let environment = environment(service);
        assert_eq!(environment["GAVEL__CLUSTER__NODE"], node);
        assert_eq!(environment["GAVEL__CLUSTER__ADVERTISE"], format!("{node}:7000"));
        assert_eq!(environment["GAVEL__BUS__URL"], "redis://:hunter2redis@redis:6379/0");
        names.push(environment["GAVEL__CLUSTER__NODE"].clone());
        let output = check_config(environment).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn a_fault_in_a_nodes_environment_is_told_without_its_secrets() {
    let mut wrong = environment(&compose()["services"]["node1"]);
    wrong.insert("GAVEL__CLUSTER__SHARDS".to_owned(), "0".to_owned());
    wrong.insert("GAVEL__STORE__URL".to_owned(), "mysql://gavel:hunter2db@db/gavel".to_owned());
    wrong.insert("GAVEL__CLUSTER__SECRET".to_owned(), "hunter2".to_owned());
    let output = check_config(wrong).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cluster.shards") && said.contains("store.url") && !said.contains("hunter2"), "{said}");
}

#[test]
fn services_start_when_what_they_need_is_healthy() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.len(), 6);
    for (name, service) in services {
        assert!(service["image"].is_string() && service["healthcheck"]["test"].is_array(), "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(needed), "{name} needs {needed}");
            assert_eq!(how["condition"], "service_healthy", "{name} needs {needed}");
        }
        assert_eq!(service["ports"].is_array(), name == "nginx", "only nginx is reached from outside: {name}");
    }
    let nginx = std::fs::read_to_string(config().join("nginx.conf")).unwrap();
    for node in ["node1:8080", "node2:8080", "node3:8080"] {
        assert_eq!(nginx.matches(node).count(), 2, "{node}, by hash and by load");
    }
}

#[test]
fn no_secret_is_written_down_and_the_files_that_are_named_are_there() {
    let text = std::fs::read_to_string(config().join("compose.yaml")).unwrap();
    for (name, _) in SECRETS {
        assert!(text.contains(&format!("${{{name}:?")), "{name} must be given");
    }
    let build = &compose()["services"]["node1"]["build"];
    let top = config().join(build["context"].as_str().unwrap());
    let dockerfile = std::fs::read_to_string(top.join(build["dockerfile"].as_str().unwrap())).unwrap();
    let steps: Vec<&str> = dockerfile.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(steps.len(), 2, "built apart from what runs");
    let user = dockerfile.find("\nUSER gavel").expect("not root");
    assert!(user > dockerfile.rfind("\nFROM ").unwrap());
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY config/")) {
        assert!(top.join(line.split(' ').nth(1).unwrap()).is_file(), "{line}");
    }
    assert!(config().join("nginx.conf").is_file());
}

/// Where compose itself is at hand, it has the last word.
#[tokio::test]
async fn compose_takes_the_file() {
    let docker = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new("docker");
        command.arg("compose").args(arguments).envs(SECRETS).kill_on_drop(true);
        command
    };
    let there = docker(&["version"]).output().await.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("docker compose is not installed: the compose file is checked by its form only");
        return;
    }
    let file = config().join("compose.yaml");
    let output = soon("compose", docker(&["-f", file.to_str().unwrap(), "config", "--quiet"]).output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
