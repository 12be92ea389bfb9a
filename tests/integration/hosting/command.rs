//! `gavel cluster`: what it says, that it stops well, and that nothing outlives it.

use std::collections::HashMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{Client, beside_others, eventually, gavel};

/// Starting a whole cluster on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running `gavel cluster`.
struct Whole {
    child: Child,
    /// What it said, by what stands before the colon.
    said: HashMap<String, String>,
    complaints: Arc<Mutex<String>>,
}

impl Whole {
    /// Waits until it is open.
    async fn start(more: &[&str]) -> Self {
        let mut command = gavel(&["cluster", "--nodes", "2", "--listen", "127.0.0.1:0"]);
        command.args(more).env("GAVEL__LIMITS__ENABLED", "false");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let complaints = Arc::new(Mutex::new(String::new()));
        let (mut stderr, heard) = (child.stderr.take().unwrap(), Arc::clone(&complaints));
        let listening = tokio::spawn(async move {
            let mut bytes = [0; 1_024];
            while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = HashMap::new();
        loop {
            match tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("the cluster says something").unwrap()
            {
                Some(line) if line == "Gavel is open on 2 nodes" => return Self { child, said, complaints },
                Some(line) => {
                    let (what, where_) = line.split_once(": ").unwrap();
                    said.insert(what.to_owned(), where_.to_owned());
                }
                None => {
                    listening.await.unwrap();
                    panic!("the cluster ended: {}", complaints.lock().unwrap());
                }
            }
        }
    }

    /// A node's URL and process.
    fn node(&self, name: &str) -> (&str, u32) {
        let (url, pid) = self.said[name].split_once(" pid ").unwrap();
        (url, pid.parse().unwrap())
    }

    fn data(&self) -> PathBuf {
        PathBuf::from(&self.said["data"])
    }

    /// Everything that must not be there when it is gone: addresses, and the processes of nodes.
    fn traces(&self) -> (Vec<String>, Vec<u32>) {
        let address = |url: &str| {
            url.split("//").nth(1).unwrap().rsplit('@').next().unwrap().split('/').next().unwrap().to_owned()
        };
        let nodes = [self.node("node-1"), self.node("node-2")];
        let urls = [nodes[0].0, nodes[1].0, &self.said["store"], &self.said["bus"]];
        (urls.map(address).to_vec(), nodes.map(|(_, pid)| pid).to_vec())
    }
}

async fn signal(name: &str, pid: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await.unwrap();
    assert!(sent.success());
}

async fn nothing_is_left((addresses, processes): (Vec<String>, Vec<u32>), data: Option<&Path>) {
    eventually("all parts to be gone", || async {
        let refused = addresses.iter().all(|address| TcpStream::connect(address).is_err());
        let ended = processes.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        (refused && ended && data.is_none_or(|data| !data.exists())).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_serves_tells_of_a_dead_node_and_stops_gracefully() {
    let _turn = beside_others().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let kept = folder.path().join("kept");
    let mut whole = Whole::start(&["--demo", "--data", kept.to_str().unwrap()]).await;
    for name in ["node-1", "node-2"] {
        let client = Client::anonymous(whole.node(name).0);
        eventually("the node to be ready", || async { (client.get("/readyz").await.status == 200).then_some(()) })
            .await;
        let auctions = client.get("/api/v1/auctions?limit=100").await.expect(200);
        assert!(auctions["items"].as_array().unwrap().len() >= 3, "the demo's auctions are everywhere: {auctions}");
    }
    assert_eq!(whole.data(), kept);
    signal("KILL", whole.node("node-2").1).await;
    let complaints = Arc::clone(&whole.complaints);
    eventually("the dead node to be told of", || async {
        complaints.lock().unwrap().contains("node-2 has ended").then_some(())
    })
    .await;
    let survivor = Client::anonymous(whole.node("node-1").0);
    eventually("the shards to be taken over", || async { (survivor.get("/readyz").await.status == 200).then_some(()) })
        .await;
    signal("TERM", whole.child.id().unwrap()).await;
    let status = tokio::time::timeout(PATIENCE, whole.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "{}", whole.complaints.lock().unwrap());
    nothing_is_left(whole.traces(), None).await;
    assert!(kept.join("postgres/PG_VERSION").exists(), "the data are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_cluster_that_is_killed() {
    let _turn = beside_others().await;
    let mut whole = Whole::start(&[]).await;
    let data = whole.data();
    assert!(data.join("postgres/PG_VERSION").exists());
    whole.child.kill().await.unwrap();
    nothing_is_left(whole.traces(), Some(&data)).await;
}
