//! Settings as they are put together and checked.

use super::*;

const SHARED: [(&str, &str); 3] = [
    ("STORE__URL", "postgres://gavel:hunter2@db:5432/gavel"),
    ("BUS__URL", "redis://:hunter2@cache:6379/"),
    ("CLUSTER__SECRET", "hunter2-hunter2-hunter2"),
];

fn load(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Settings, Faults> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let path = file.map(|text| {
        std::fs::write(&path, text).unwrap();
        path.as_path()
    });
    let variables = environment.iter().map(|(key, value)| (format!("GAVEL__{key}"), (*value).to_owned()));
    Settings::from_sources(path, variables)
}

/// The keys that are at fault, and all that is said.
fn faults(file: Option<&str>, environment: &[(&str, &str)]) -> (Vec<String>, String) {
    let faults = load(file, environment).unwrap_err();
    (faults.0.iter().map(|fault| fault.key.clone()).collect(), faults.to_string())
}

fn shared_and(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    SHARED.iter().chain(more).copied().collect()
}

#[test]
fn the_defaults_serve_one_machine() {
    let settings = load(None, &[]).unwrap();
    assert_eq!((&settings.store, &settings.bus), (&StoreUrl::Sqlite("data/gavel.db".into()), &BusUrl::Memory));
    assert_eq!(settings.cluster.shards, crate::limits::SHARDS);
    assert_eq!((settings.cluster.listen.port(), settings.cluster.advertise), (0, None));
    assert!(!settings.cluster.node.is_empty());
}

#[test]
fn a_node_of_a_cluster_is_set_by_its_environment() {
    let more = [
        ("CLUSTER__NODE", "1"),
        ("CLUSTER__LISTEN", "0.0.0.0:7000"),
        ("CLUSTER__ADVERTISE", "node1.internal:7000"),
        ("CLUSTER__SHARDS", "64"),
    ];
    let settings = load(None, &shared_and(&more)).unwrap();
    let cluster = &settings.cluster;
    assert_eq!((cluster.node.as_str(), cluster.shards, cluster.listen.port()), ("1", 64, 7000));
    assert_eq!(cluster.advertise.as_deref(), Some("node1.internal:7000"));
    assert_eq!(cluster.secret.reveal(), "hunter2-hunter2-hunter2");
    assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
}

#[test]
fn one_node_on_postgres_needs_no_redis() {
    let settings = load(None, &[SHARED[0], SHARED[2]]).unwrap();
    assert_eq!(settings.bus, BusUrl::Memory);
}

#[test]
fn a_text_that_looks_like_a_number_stays_what_it_is() {
    for secret in ["12345678901234567890123", "00000000000000e1", "0x123456789012345"] {
        let settings = load(None, &[SHARED[0], ("CLUSTER__SECRET", secret)]).unwrap();
        assert_eq!(settings.cluster.secret.reveal(), secret);
    }
}

#[test]
fn what_is_missing_or_senseless_in_a_cluster_is_a_fault_each() {
    let more = [
        ("CLUSTER__SECRET", "hunter2"),
        ("CLUSTER__NODE", "a name with spaces"),
        ("CLUSTER__LISTEN", "0.0.0.0:8080"),
        ("CLUSTER__SHARDS", "4097"),
    ];
    let (keys, said) = faults(None, &shared_and(&more));
    let all = ["cluster.listen", "cluster.node", "cluster.advertise", "cluster.secret", "cluster.shards"];
    assert_eq!(keys, all, "{said}");
    assert!(said.contains("http.listen") && said.contains("at least 16") && !said.contains("hunter2"), "{said}");
    for wrong in ["node1", ":7000", "node1:0", "node1:99999", "http://node1:7000"] {
        assert_eq!(faults(None, &shared_and(&[("CLUSTER__ADVERTISE", wrong)])).0, ["cluster.advertise"], "{wrong}");
    }
    assert_eq!(faults(None, &[("CLUSTER__SHARDS", "0")]).0, ["cluster.shards"]);
}

#[test]
fn redis_beside_an_embedded_store_is_a_fault_that_says_why() {
    let (keys, said) = faults(None, &[("BUS__URL", "redis://cache")]);
    assert_eq!(keys, ["bus.url"]);
    assert!(said.contains("SQLite store has only one"), "{said}");
}

#[test]
fn no_fault_repeats_what_may_be_secret() {
    for file in [
        "[cluster]\nsecret = \"hunter2\n",
        "[store]\nurl = \"postgres://u:hunter2@x@h/d\"\n",
        "[store]\nurl = [\"postgres://u:hunter2@h/d\"]\n",
        "store = \"postgres://u:hunter2@h/d\"\n",
        "[bus]\nurl = { redis = \"redis://:hunter2@h\" }\n",
    ] {
        let (_, said) = faults(Some(file), &[]);
        assert!(!said.contains("hunter2"), "{file}: {said}");
    }
    let (keys, said) = faults(Some("[cluster]\nsecret = 1234567890123456\n"), &[]);
    assert_eq!(keys, ["cluster.secret"]);
    assert!(!said.contains("1234567890123456"), "{said}");
}

#[test]
fn the_cluster_file_lacks_nothing_but_the_secret() {
    let file = include_str!("../../config/cluster.toml");
    assert_eq!(faults(Some(file), &[]).0, ["cluster.secret"]);
    let settings = load(Some(file), &SHARED[2..]).unwrap();
    assert!(matches!((&settings.store, &settings.bus), (StoreUrl::Postgres(_), BusUrl::Redis(_))));
    assert!(settings.trust_forwarded && settings.cluster.advertise.is_some());
}

#[test]
fn faults_of_every_kind_are_found_at_once_and_each_key_is_named_once() {
    let file = "[http]\nlistn = \"x\"\nworkers = \"many\"\nlisten = \"nowhere\"\n[limit]\nenabled = 7\n\
                [engine]\nack = \"maybe\"\n[limits]\nbids_per_second = 0\nreads_per_second = -1\n";
    let (mut keys, said) = faults(Some(file), &[("BUS__URL", "pigeon:")]);
    keys.sort();
    let all = [
        "bus.url",
        "engine.ack",
        "http.listen",
        "http.listn",
        "http.workers",
        "limit",
        "limits.bids_per_second",
        "limits.reads_per_second",
    ];
    assert_eq!(keys, all, "{said}");
}

#[test]
fn what_could_not_be_read_makes_no_further_faults() {
    // The defaults in their places would: SQLite beside Redis, an empty secret, two listeners at one address.
    for file in ["[store]\nurl = 7\n", "store = 7\n", "[store]\nurl = \"mysql://h/d\"\n"] {
        let (keys, said) = faults(Some(file), &[("BUS__URL", "redis://cache")]);
        assert!(keys.len() == 1 && keys[0].starts_with("store"), "{file}: {said}");
    }
    let (keys, said) = faults(Some("[cluster]\nsecret = 7\n"), &[SHARED[0]]);
    assert_eq!(keys, ["cluster.secret"], "{said}");
    let listen = "[http]\nlisten = 8080\n[cluster]\nlisten = \"127.0.0.1:8080\"\n";
    assert_eq!(faults(Some(listen), &[]).0, ["http.listen"]);
    // Of two keys with a common beginning each is its own.
    let file = "[http]\nallowed_origins = 7\n[limits]\nstreams_per_minute = true\nstreams_per_address = 0\n";
    let mut keys = faults(Some(file), &[]).0;
    keys.sort();
    assert_eq!(keys, ["http.allowed_origins", "limits.streams_per_address", "limits.streams_per_minute"]);
}

#[test]
fn a_number_that_is_too_large_is_told_the_largest() {
    for number in ["99999999999", "99999999999999999999999", "4294967296", "-1", "1.5"] {
        let (keys, said) = faults(None, &[("LIMITS__BIDS_PER_SECOND", number)]);
        assert_eq!(keys, ["limits.bids_per_second"], "{number}");
        assert!(said.contains("is not a whole number from 1 to 4294967295"), "{number}: {said}");
    }
    let (_, said) = faults(None, &[("HTTP__WORKERS", "-1")]);
    assert!(said.contains("is not a whole number from 0 to"), "0 is one for each core: {said}");
    assert_eq!(load(None, &[("LIMITS__BIDS_PER_SECOND", "4294967295")]).unwrap().limits.bids_per_second, u32::MAX);
}

#[test]
fn a_list_in_the_environment_is_parted_by_commas() {
    let origins = "https://auction.example,https://www.auction.example";
    let settings = load(None, &[("HTTP__ALLOWED_ORIGINS", origins)]).unwrap();
    assert_eq!(settings.allowed_origins, ["https://auction.example", "https://www.auction.example"]);
}
