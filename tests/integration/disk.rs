//! What a bad disk does: the server runs with a library between itself and the disk (`disk.c`).

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{PASSWORD, Server, soon, uuid};

/// The library, and the files whose presence makes the disk bad.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/disk.c");
        let mut compiler = tokio::process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("disk.so")).args([source, "-ldl"]);
        assert!(soon("the library", compiler.status()).await.unwrap().success());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn server(&self) -> Server {
        let variables =
            [("LD_PRELOAD", "disk.so"), ("SYNC_FAILS", "sync"), ("DISK_FULL", "full"), ("READS_HANG", "reads")];
        Server::with_variables(variables.map(|(name, file)| (name, self.path(file).display().to_string()))).await
    }

    pub(crate) fn break_down(&self, what: &str) {
        std::fs::write(self.path(what), "").unwrap();
    }

    pub(crate) fn mend(&self, what: &str) {
        std::fs::remove_file(self.path(what)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_syncing_fails_nothing_is_said_to_have_happened_or_not() {
    let disk = Disk::new().await;
    let server = disk.server().await;
    let (seller, ann) = (server.user("Seller").await, server.user("Ann").await);
    let (auction, bid_id) = (seller.sell(3600).await, uuid());

    disk.break_down("sync");
    let sign_up = json!({"email": "bob@test.example", "nick": "Bob", "password": PASSWORD});
    server.anonymous().post("/api/v1/users", &sign_up).await.problem(503, "outcome_pending");
    let lamp = json!({"title": "A lamp", "start_price": 1});
    seller.post("/api/v1/auctions", &lamp).await.problem(503, "outcome_pending");
    ann.bid_as(&auction, &bid_id, 1_100).await.problem(503, "outcome_pending");
    assert_eq!(ann.auction(&auction).await["seq"], 0, "only what is stored is shown");

    disk.mend("sync");
    server.anonymous().post("/api/v1/users", &sign_up).await.expect(201);
    ann.bid_as(&auction, &bid_id, 1_100).await.expect(201);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_hangs_does_not_keep_the_server_from_stopping() {
    let disk = Disk::new().await;
    let mut server = disk.server().await;
    let seller = server.user("Seller").await;
    let auction = seller.sell(3600).await;
    disk.break_down("reads");
    let asking = tokio::spawn({
        let seller = seller.clone();
        async move { drop(seller.request(reqwest::Method::GET, &format!("/api/v1/auctions/{auction}")).send().await) }
    });
    // The request is in when the next one on the same server is answered.
    seller.get("/healthz").await.expect(200);
    let (status, took) = server.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(server.log().contains("cut short"), "{}", server.log());
    asking.await.unwrap();
    disk.mend("reads");
    assert_eq!(server.verify().await, (1, 0));
}
