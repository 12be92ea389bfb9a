//! The command line: exit codes, messages, and stopping well.

use std::process::Output;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Client, Server, Sse, Ws, gavel, soon, verified};

async fn run(arguments: &[&str], settings: &[(&str, &str)], home: &TempDir) -> Output {
    let mut command = gavel(arguments);
    command.current_dir(home.path()).envs(settings.iter().copied());
    soon("a command's end", command.output()).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_there_on_every_level() {
    let home = TempDir::new().unwrap();
    let whole = run(&["--help"], &[], &home).await;
    assert_eq!(whole.status.code(), Some(0));
    for command in ["serve", "migrate", "verify", "check-config"] {
        assert!(said(&whole).contains(command), "{}", said(&whole));
        let help = run(&[command, "--help"], &[], &home).await;
        assert_eq!(help.status.code(), Some(0), "{command}");
        assert!(said(&help).contains("--config"), "{}", said(&help));
    }
    let serve = said(&run(&["serve", "--help"], &[], &home).await);
    assert!(serve.contains("--demo") && serve.contains("--listen"), "{serve}");
    let verify = said(&run(&["verify", "--help"], &[], &home).await);
    for code in ["I1", "I2", "I3", "I5", "I7", "I10"] {
        assert!(verify.contains(&format!("  {code} ")), "{code}: {verify}");
    }
    assert_eq!(run(&["--version"], &[], &home).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_and_wrong_settings_exit_with_2() {
    let home = TempDir::new().unwrap();
    for arguments in
        [&["sell"][..], &["serve", "--no-such-flag"], &["verify", "extra"], &["serve", "--listen", "nowhere"]]
    {
        let output = run(arguments, &[], &home).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
    for command in ["serve", "migrate", "verify", "check-config"] {
        let output = run(&[command], &[("GAVEL__STORE__URL", "nonsense:")], &home).await;
        assert_eq!(output.status.code(), Some(2), "{command}: {}", said(&output));
        assert!(said(&output).contains("store.url"), "{}", said(&output));
    }
    let in_memory = run(&["serve"], &[("GAVEL__STORE__URL", "sqlite::memory:")], &home).await;
    assert_eq!(in_memory.status.code(), Some(2), "{}", said(&in_memory));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing is made");
    let missing = run(&["check-config", "--config", "no-such-file.toml"], &[], &home).await;
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_prints_all_faults_at_once_with_their_keys() {
    let home = TempDir::new().unwrap();
    assert_eq!(run(&["check-config"], &[], &home).await.status.code(), Some(0));
    let file = home.path().join("wrong.toml");
    let wrong =
        "[http]\nlisten = \"nowhere\"\nworkers = -3\n[engine]\nack = \"maybe\"\n[limits]\nbids_per_second = 0\n";
    std::fs::write(&file, wrong).unwrap();
    let file = file.to_str().unwrap();
    let environment = [("GAVEL__BUS__URL", "pigeon:")];
    let output = run(&["check-config", "--config", file], &environment, &home).await;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    for key in ["http.listen", "http.workers", "engine.ack", "limits.bids_per_second", "bus.url"] {
        assert!(said(&output).contains(key), "{key} is not named: {}", said(&output));
    }
    std::fs::write(file, "[http]\nlistn = \"x\"\nworkers = \"many\"\n[limit]\nenabled = 7\n").unwrap();
    let output = run(&["check-config", "--config", file], &[], &home).await;
    assert_eq!(output.status.code(), Some(2));
    for key in ["http.listn", "http.workers", "limit"] {
        assert!(said(&output).contains(key), "{key} is not named: {}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_stronger_than_the_file_and_the_file_than_the_defaults() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("own.toml");
    std::fs::write(&file, "[store]\nurl = \"sqlite:by-file.db\"\n[limits]\nenabled = false\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(run(&["migrate", "--config", file], &[], &home).await.status.code(), Some(0));
    assert!(home.path().join("by-file.db").exists());
    let environment = [("GAVEL__STORE__URL", "sqlite:deep/down/by-environment.db")];
    assert_eq!(run(&["migrate", "--config", file], &environment, &home).await.status.code(), Some(0));
    assert!(home.path().join("deep/down/by-environment.db").exists(), "the folder is made when it is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_and_at_once_is_safe_and_a_new_store_has_no_fault() {
    let home = TempDir::new().unwrap();
    let settings = [("GAVEL__STORE__URL", "sqlite:new.db")];
    let both = tokio::join!(run(&["migrate"], &settings, &home), run(&["migrate"], &settings, &home));
    for output in [both.0, both.1, run(&["migrate"], &settings, &home).await] {
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let output = run(&["verify"], &settings, &home).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "verified 0 auctions, 0 events, 0 faults");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_counts_offline_and_beside_a_running_server() {
    let mut server = Server::start().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let auction = seller.sell(3600).await;
    seller.sell(3600).await;
    ann.bid(&auction, 2000).await.expect(201);
    assert_eq!(server.verify().await, (2, 1));
    server.terminate().await;
    assert_eq!(server.verify().await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_someone_changed_behind_the_servers_back() {
    let mut server = Server::start().await;
    let (seller, ann, bob) = (server.user("Seller").await, server.user("Ann").await, server.user("Bob").await);
    let auction = seller.sell(3600).await;
    for (bidder, amount) in [(&ann, 2000), (&bob, 3000), (&ann, 4000)] {
        bidder.bid(&auction, amount).await.expect(201);
    }
    server.terminate().await;
    let store = rusqlite::Connection::open(server.home().join("gavel.db")).unwrap();
    let deleted = store.execute("DELETE FROM events WHERE seq = 2", []).unwrap();
    assert_eq!(deleted, 1);
    drop(store);
    let output = server.run(&["verify"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let (auctions, _, faults) = verified(text.lines().last().unwrap()).unwrap();
    assert!(auctions == 1 && faults >= 1, "{text}");
    assert!(text.lines().count() as u64 > faults, "each fault on a line: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_database_is_refused_clearly() {
    let server = Server::start().await;
    let output = server.run(&["serve"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("gavel.db"), "the message names the database: {}", said(&output));
    assert!(!said(&output).contains("panicked"), "{}", said(&output));
    assert_eq!(server.anonymous().get("/readyz").await.status, 200, "the first goes on");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_a_clear_failure() {
    let server = Server::start().await;
    let home = TempDir::new().unwrap();
    let output = run(&["serve", "--listen", server.address()], &[], &home).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(server.address()), "{}", said(&output));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_ends_open_streams_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start().await;
        let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
        let auction = seller.sell(3600).await;
        let mut clock = Sse::open(&ann, "/sse").await;
        let mut events = Sse::open(&ann, &format!("/api/v1/auctions/{auction}/events")).await;
        let mut ws = Ws::signed_in(&server, &ann).await;
        ws.subscribe(&auction).await;
        ws.next_of("snapshot").await;
        let idle = ann.request(reqwest::Method::GET, "/api/v1/time").send().await.unwrap();
        let receipt = ann.bid(&auction, 2000).await.expect(201);
        server.signal(signal).await;
        let (status, took) = server.terminate_after_signal().await;
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        assert!(took < std::time::Duration::from_secs(10), "{took:?}");
        tokio::join!(clock.until_ended(), events.until_ended());
        ws.close_code().await;
        drop(idle);
        server.restart().await;
        assert_eq!(server.anonymous().bids(&auction).await[0]["bid_id"], receipt["bid_id"]);
        server.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_fills_an_empty_store_once() {
    let mut server = Server::launch(&[], &["serve", "--demo"]).await;
    let first = server.anonymous().get("/api/v1/auctions?limit=1000").await.expect(200);
    let items = first["items"].as_array().unwrap();
    assert!(items.len() >= 3, "a handful: {first}");
    let pictured = items.iter().filter_map(|item| item["image_url"].as_str()).collect::<Vec<_>>();
    assert!(!pictured.is_empty(), "{first}");
    for url in pictured {
        assert_eq!(server.anonymous().get(url).await.status, 200, "{url}");
    }
    for email in ["seller@demo.test", "ann@demo.test", "bob@demo.test"] {
        let body = json!({"email": email, "password": "demo-demo-demo"});
        server.anonymous().post("/api/v1/sessions", &body).await.expect(201);
    }
    server.terminate().await;
    server.restart().await;
    let again = server.anonymous().get("/api/v1/auctions?limit=1000").await.expect(200);
    assert_eq!(again["items"].as_array().unwrap().len(), items.len(), "filled once");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_a_store_alone_that_has_something_in_it() {
    let mut server = Server::start().await;
    let mine = server.user("Seller").await.sell(3600).await;
    server.terminate().await;
    server.with_arguments(&["serve", "--demo"]);
    server.restart().await;
    let anyone = Client::anonymous(server.url());
    let all = anyone.get("/api/v1/auctions?limit=1000").await.expect(200);
    let ids = all["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids, [mine]);
    server.finish().await;
}
