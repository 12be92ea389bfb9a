//! Starts each peer with what it needs, on free ports of this machine, and stops all of it again.

mod postgres;
pub(crate) mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::postgres::Postgres;
pub(crate) use self::process::find;
use self::process::{Process, Start, free_port};
use crate::error::Fault;
use crate::plan::Peer;

/// Bids that an auction of the original has before refusals are measured once more.
pub(crate) const EARLIER_BIDS: usize = 1_000;
/// Where Debian puts nginx's modules.
const NGINX_MODULES: &str = "/usr/lib/nginx/modules";
/// Folders of programs that are not in everybody's PATH.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Characters of a server's own reason that the table shows.
const REASON_CHARACTERS: usize = 160;

/// What all servers are started from.
pub(crate) struct Stage {
    /// Our own programs.
    pub(crate) bin: PathBuf,
    /// The comparison's own files: settings of the servers.
    pub(crate) source: PathBuf,
    /// The Node peers with their packages.
    pub(crate) node: PathBuf,
    /// Where stores are written: a real disk, or fsync means nothing.
    pub(crate) scratch: PathBuf,
}

/// How a peer is started this time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish {
    pub(crate) core: Option<usize>,
    /// Bids that every auction of the original has from the start.
    pub(crate) earlier_bids: usize,
}

/// Where a process works, listens and runs.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) home: &'a Path,
    pub(crate) at: SocketAddr,
    pub(crate) core: Option<usize>,
}

/// A peer with all its servers.
pub(crate) struct Running {
    /// Where clients connect.
    pub(crate) at: SocketAddr,
    /// Where events are published, if elsewhere.
    pub(crate) publish: SocketAddr,
    processes: Vec<Process>,
    postgres: Option<Postgres>,
    // Last: removed when nobody writes there any more.
    folder: tempfile::TempDir,
}

impl Running {
    /// All its processes; their children belong to them.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let stores = self.postgres.iter().map(|postgres| postgres.process.id());
        self.processes.iter().map(Process::id).chain(stores).collect()
    }

    /// Of the original: rows that break the rule.
    pub(crate) fn broken_rows(&self) -> Result<u64, Fault> {
        self.postgres.as_ref().map_or(Ok(0), Postgres::broken_rows)
    }
}

impl Stage {
    /// Where one of our own programs is.
    pub(crate) fn own(&self, program: &str) -> String {
        self.bin.join(program).display().to_string()
    }

    /// Why `peer` cannot be started here; `None` when it can.
    pub(crate) fn missing(&self, peer: Peer) -> Option<String> {
        let program = |name: &str| find(name, &SYSTEM).is_none().then(|| format!("{name} is not installed"));
        let store = || postgres::folder().is_none().then(|| "Postgres is not installed".to_owned());
        let node = || {
            let there = self.node.join("node_modules/socket.io").is_dir();
            program("node").or_else(|| (!there).then(|| "its npm packages are not installed".to_owned()))
        };
        match peer {
            Peer::Noop | Peer::NoopActor | Peer::Hub | Peer::Gavel => None,
            Peer::Original => node().or_else(store),
            Peer::RowLock | Peer::RowLockOne => store(),
            Peer::LuaEverysec | Peer::LuaAlways => program("redis-server"),
            Peer::SocketIo => node(),
            Peer::Nats => program("nats-server"),
            Peer::Nchan => program("nginx").or_else(|| {
                let there = Path::new(NGINX_MODULES).join("ngx_nchan_module.so").is_file();
                (!there).then(|| "nginx has no nchan module (Debian: libnginx-mod-nchan)".to_owned())
            }),
            Peer::GavelCluster => store().or_else(|| program("redis-server")).or_else(|| self.no_cluster()),
        }
    }

    /// Why this Gavel does not take the settings of a cluster.
    fn no_cluster(&self) -> Option<String> {
        let settings = cluster_settings("postgres://nobody@127.0.0.1:1/none", "redis://127.0.0.1:1/");
        let checked = Command::new(self.bin.join("gavel")).arg("check-config").envs(settings).output();
        match checked {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
                let said: String = said.chars().take(REASON_CHARACTERS).collect();
                Some(format!("this build refuses the settings of a cluster ({said})"))
            }
            Err(cause) => Some(format!("gavel check-config: {cause}")),
        }
    }

    /// A new folder for a server's store; goes when it is dropped.
    pub(crate) fn folder(&self, prefix: &str) -> Result<tempfile::TempDir, Fault> {
        tempfile::Builder::new()
            .prefix(prefix)
            // Postgres runs as somebody else and must find its part.
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in(&self.scratch)
            .map_err(Fault::doing("making a folder"))
    }

    /// Starts `peer` with an empty store.
    pub(crate) fn start(&self, peer: Peer, wish: Wish) -> Result<Running, Fault> {
        let folder = self.folder("peer-")?;
        let at = free_port()?;
        let mut running = Running { at, publish: at, processes: Vec::new(), postgres: None, folder };
        let home = running.folder.path().to_owned();
        let spot = Spot { home: &home, at, core: wish.core };
        match peer {
            Peer::Noop => running.processes.push(self.rust_peer(spot, "noop", &[])?),
            Peer::NoopActor => running.processes.push(self.rust_peer(spot, "actor", &[])?),
            Peer::Hub => running.processes.push(self.rust_peer(spot, "hub", &[])?),
            Peer::Original => {
                let store = start_postgres(&home)?;
                let earlier = wish.earlier_bids.to_string();
                running.processes.push(self.node_peer(spot, "original.js", &[&store.url(), &earlier])?);
                running.postgres = Some(store);
            }
            Peer::RowLock | Peer::RowLockOne => {
                let store = start_postgres(&home)?;
                let pool = if peer == Peer::RowLock { "64" } else { "1" };
                let more = ["--store", &store.url(), "--pool", pool];
                running.processes.push(self.rust_peer(spot, "row-lock", &more)?);
                running.postgres = Some(store);
            }
            Peer::LuaEverysec | Peer::LuaAlways => {
                let sync = if peer == Peer::LuaAlways { "always" } else { "everysec" };
                let (redis, url) = start_redis(&home, Some(sync))?;
                running.processes.push(redis);
                running.processes.push(self.rust_peer(spot, "lua", &["--store", &url])?);
            }
            Peer::Gavel => {
                let store = format!("sqlite:{}", home.join("gavel.db").display());
                running.processes.push(self.gavel(spot, vec![("GAVEL__STORE__URL", store)])?);
            }
            Peer::GavelCluster => {
                let store = start_postgres(&home)?;
                let (redis, url) = start_redis(&home, None)?;
                running.processes.push(redis);
                running.processes.push(self.gavel(spot, cluster_settings(&store.url(), &url).into())?);
                running.postgres = Some(store);
            }
            Peer::SocketIo => running.processes.push(self.node_peer(spot, "fanout.js", &[])?),
            Peer::Nchan => running.processes.push(self.nchan(spot)?),
            Peer::Nats => {
                running.publish = free_port()?;
                running.processes.push(self.nats(spot, running.publish)?);
            }
        }
        Ok(running)
    }

    fn rust_peer(&self, spot: Spot<'_>, kind: &str, more: &[&str]) -> Result<Process, Fault> {
        let program = self.own("compare-peer");
        let mut start = Start::new(kind, spot.home, &program);
        start.arguments =
            [kind, "--listen", &spot.at.to_string()].iter().chain(more).map(ToString::to_string).collect();
        start.core = spot.core;
        start.start(&[spot.at])
    }

    fn node_peer(&self, spot: Spot<'_>, script: &str, more: &[&str]) -> Result<Process, Fault> {
        let mut start = Start::new("node", spot.home, "node");
        let script = self.node.join(script).display().to_string();
        let words = [script, spot.at.to_string()];
        start.arguments = words.into_iter().chain(more.iter().map(ToString::to_string)).collect();
        start.environment = vec![("NODE_ENV", "production".to_owned())];
        start.core = spot.core;
        start.start(&[spot.at])
    }

    /// Starts Gavel on `store`, rates unlimited, and waits until it is ready.
    pub(crate) fn gavel(&self, spot: Spot<'_>, store: Vec<(&'static str, String)>) -> Result<Process, Fault> {
        let program = self.own("gavel");
        let mut start = Start::new("gavel", spot.home, &program);
        start.environment = store;
        start.environment.extend([
            ("GAVEL__HTTP__LISTEN", spot.at.to_string()),
            ("GAVEL__LIMITS__ENABLED", "false".to_owned()),
            ("GAVEL__LOG__FILTER", "warn".to_owned()),
        ]);
        start.core = spot.core;
        let gavel = start.start(&[spot.at])?;
        // A node of a cluster takes connections before it owns anything.
        process::answers(spot.at, "/readyz").map(|()| gavel)
    }

    fn nchan(&self, spot: Spot<'_>) -> Result<Process, Fault> {
        let listen = spot.at.to_string();
        let folder = spot.home.display().to_string();
        let filled = [("{modules}", NGINX_MODULES), ("{folder}", &folder), ("{listen}", &listen)];
        let config = self.config("nginx.conf", spot.home, &filled)?;
        let program = find("nginx", &SYSTEM).unwrap_or_default();
        let mut start = Start::new("nginx", spot.home, &program);
        start.arguments = vec!["-e".to_owned(), "stderr".to_owned(), "-c".to_owned(), config];
        start.core = spot.core;
        start.start(&[spot.at])
    }

    fn nats(&self, spot: Spot<'_>, listen: SocketAddr) -> Result<Process, Fault> {
        let filled = [("{listen}", &*listen.to_string()), ("{websocket}", &*spot.at.to_string())];
        let config = self.config("nats.conf", spot.home, &filled)?;
        let program = find("nats-server", &SYSTEM).unwrap_or_default();
        let mut start = Start::new("nats", spot.home, &program);
        start.arguments = vec!["-c".to_owned(), config];
        start.core = spot.core;
        start.start(&[listen, spot.at])
    }

    /// Copies a server's settings with the places filled in.
    fn config(&self, name: &str, home: &Path, filled: &[(&str, &str)]) -> Result<String, Fault> {
        let doing = || Fault::doing(format!("writing {name}"));
        let template = std::fs::read_to_string(self.source.join(name)).map_err(doing())?;
        let text = filled.iter().fold(template, |text, (place, value)| text.replace(place, value));
        let path = home.join(name);
        std::fs::write(&path, text).map_err(doing())?;
        Ok(path.display().to_string())
    }
}

/// Fails when a tool is missing that servers are started and stopped with.
pub(crate) fn tools() -> Result<(), Fault> {
    match ["setpriv", "taskset", "kill"].into_iter().find(|tool| find(tool, &[]).is_none()) {
        Some(tool) => Err(Fault(format!("{tool} is not installed (util-linux, procps)"))),
        None => Ok(()),
    }
}

/// Makes a folder where it is missing; its whole path.
pub(crate) fn whole(folder: &Path) -> Result<PathBuf, Fault> {
    std::fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(Fault::doing(format!("making {}", folder.display())))
}

/// What makes a Gavel a node of a cluster.
fn cluster_settings(store: &str, bus: &str) -> [(&'static str, String); 3] {
    [
        ("GAVEL__STORE__URL", store.to_owned()),
        ("GAVEL__BUS__URL", bus.to_owned()),
        ("GAVEL__CLUSTER__SECRET", "a secret of this comparison alone".to_owned()),
    ]
}

fn start_postgres(home: &Path) -> Result<Postgres, Fault> {
    Postgres::start(home, &postgres::folder().unwrap_or_default())
}

/// A private Redis with an append-only file that is synced as `sync` says, or without one.
fn start_redis(home: &Path, sync: Option<&str>) -> Result<(Process, String), Fault> {
    let at = free_port()?;
    let mut start = Start::new("redis", home, "redis-server");
    let folder = home.display().to_string();
    let port = at.port().to_string();
    let append = if sync.is_some() { "yes" } else { "no" };
    let words = ["--bind", "127.0.0.1", "--port", &port, "--dir", &folder, "--save", "", "--appendonly", append];
    start.arguments = words.iter().chain(&["--appendfsync", sync.unwrap_or("no")]).map(ToString::to_string).collect();
    Ok((start.start(&[at])?, format!("redis://127.0.0.1:{}/", at.port())))
}
