//! nginx with the configuration that we ship: on a free port, in a folder of its own, before the nodes of a test.

use std::path::Path;
use std::process::Stdio;

use gavel::cli::cluster::free_port;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::{Client, eventually};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/nginx.conf");

/// Goes when it is dropped.
pub(super) struct Nginx {
    url: String,
    folder: tempfile::TempDir,
    _process: Child,
}

impl Nginx {
    /// Starts it before these nodes. It waits for a bid's answer and for others up to 3 s, and tells in `x-node` whom it asked.
    pub(super) async fn start(nodes: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, adapted(folder.path(), port, nodes)).unwrap();
        let checked = nginx(folder.path()).arg("-t").output().await.unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let mut command = nginx(folder.path());
        // One process, so that ending it ends all of it.
        let process = command.args(["-g", "daemon off; master_process off;"]).spawn().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let there = || async { TcpStream::connect(("127.0.0.1", port)).await.ok() };
        eventually("nginx to listen", there).await;
        Self { url, folder, _process: process }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Someone who is not signed in.
    pub(super) fn anonymous(&self) -> Client {
        Client::anonymous(&self.url)
    }

    /// Lines that it wrote about requests.
    pub(super) fn accesses(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }
}

fn nginx(folder: &Path) -> Command {
    // Debian puts it where only root looks.
    let debian = Path::new("/usr/sbin/nginx");
    let mut command = Command::new(if debian.exists() { debian } else { Path::new("nginx") });
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("error.log"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// What we ship, with other places, ports and patience.
fn adapted(folder: &Path, port: u16, nodes: &[String]) -> String {
    let folder = folder.display();
    let mut changes = vec![
        ("/run/nginx.pid".to_owned(), format!("{folder}/nginx.pid")),
        ("/var/log/nginx".to_owned(), folder.to_string()),
        ("listen 80;".to_owned(), format!("listen 127.0.0.1:{port};")),
        ("proxy_read_timeout 15s;".to_owned(), "proxy_read_timeout 3s;".to_owned()),
        ("proxy_read_timeout 7s;".to_owned(), "proxy_read_timeout 3s;".to_owned()),
    ];
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path {folder}/{kind};"));
    let more = format!("\nhttp {{\n{}\nadd_header X-Node $upstream_addr always;", temporary.join("\n"));
    changes.push(("\nhttp {".to_owned(), more));
    for (number, node) in nodes.iter().enumerate() {
        changes.push((format!("node{}:8080", number + 1), node.clone()));
    }
    let shipped = std::fs::read_to_string(SHIPPED).unwrap();
    changes.iter().fold(shipped, |text, (shipped, ours)| {
        assert!(text.contains(shipped), "config/nginx.conf has no `{shipped}`");
        text.replace(shipped, ours)
    })
}
