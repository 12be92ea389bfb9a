//! A private Postgres: in a temporary folder, on a free port of 127.0.0.1, gone when its test is.
//!
//! A small shell process keeps it: when the test's end of the pipe closes, however the test ends, the
//! server is stopped and the folder removed. As root the server runs as `postgres` or `nobody`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

const KEEPER: &str = r#"
while read -r word rest; do
    case $word in
        start) "$1/postgres" -D "$2/data" >>"$2/log" 2>&1 & pid=$!; echo "$pid" ;;
        signal) kill $rest 2>/dev/null; echo done ;;
        reap) wait "$pid"; echo done ;;
    esac
done
kill -QUIT "$pid" 2>/dev/null
wait "$pid"
rm -rf "$2"
"#;

/// A running server.
pub(crate) struct Server {
    folder: PathBuf,
    pub(crate) port: u16,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    process: Child,
    /// `None` once it was told to end.
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    postmaster: u32,
}

impl Keeper {
    fn say(&mut self, words: &str) -> String {
        writeln!(self.words.as_ref().unwrap(), "{words}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    fn start(&mut self) {
        self.postmaster = self.say("start").parse().unwrap();
    }
}

static SHARED: OnceCell<Server> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
static PORTS: AtomicU32 = AtomicU32::new(0);

/// The server that the tests of this process share. Not for tests that harm the server.
pub(crate) async fn shared() -> &'static Server {
    SHARED.get_or_init(|| Server::start(&[])).await
}

/// The URL of a new, empty database on the shared server.
pub(crate) async fn database() -> String {
    shared().await.database().await
}

impl Server {
    /// Starts a server with these lines in its configuration.
    pub(crate) async fn start(lines: &[&str]) -> Self {
        let bin = bin();
        let folder = tempfile::Builder::new().prefix("gavel-postgres-").tempdir().unwrap().keep();
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let data = folder.join("data");
        let mut init = as_user(&bin.join("initdb"), user, &folder);
        init.arg("-D").arg(&data).args(["-U", "gavel", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let made = init.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let mut config = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        writeln!(config, "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''").unwrap();
        writeln!(config, "max_connections = 600\nshared_buffers = 128MB\nmax_wal_size = 2GB").unwrap();
        for line in lines {
            writeln!(config, "{line}").unwrap();
        }
        let mut shell = as_user(Path::new("/bin/sh"), user, &folder);
        shell.arg("-c").arg(KEEPER).arg("keeper").arg(&bin).arg(&folder);
        let mut process = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let words = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut keeper = Keeper { process, words, answers, postmaster: 0 };
        keeper.start();
        let server = Self { folder, port, keeper: Mutex::new(keeper) };
        server.ready().await;
        server
    }

    /// The URL of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&self.url("postgres")).await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        self.url(&name)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://gavel@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends the server and all its processes at once, as a power cut would.
    pub(crate) fn kill(&self) {
        let mut keeper = self.keeper.lock().unwrap();
        let children = children_of(keeper.postmaster);
        let postmaster = keeper.postmaster;
        keeper.say(&format!("signal -KILL {postmaster} {children}"));
        keeper.say("reap");
    }

    /// Starts it again on the same data.
    pub(crate) async fn restart(&self) {
        self.keeper.lock().unwrap().start();
        self.ready().await;
    }

    async fn ready(&self) {
        for _ in 0..600 {
            if tokio_postgres::connect(&self.url("postgres"), NoTls).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut keeper = self.keeper.lock().unwrap();
            if has_ended(keeper.postmaster) {
                // A process of the one before has still not let go of the data.
                keeper.say("reap");
                keeper.start();
            }
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("the server did not start:\n{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(keeper) = self.keeper.get_mut() {
            drop(keeper.words.take());
            drop(keeper.process.wait());
        }
    }
}

/// A plain connection to `url`.
pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Where the server's programs are.
fn bin() -> PathBuf {
    let given = std::env::var_os("GAVEL_POSTGRES_BIN").map(PathBuf::from);
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    versions.sort();
    let others = ["/usr/local/bin", "/usr/bin", "/usr/local/pgsql/bin"].map(PathBuf::from);
    given
        .into_iter()
        .chain(versions.into_iter().rev())
        .chain(others)
        .find(|folder| folder.join("postgres").exists() && folder.join("initdb").exists())
        .expect("no Postgres found: install it (Debian: apt-get install postgresql) or set GAVEL_POSTGRES_BIN")
}

/// Whom the server runs as when the tests run as root, which it refuses to be.
fn unprivileged() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user `postgres` or `nobody`"))
}

fn as_user(program: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    // A signal to the tests' terminal is not the server's.
    command.process_group(0);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// A port below those that the system gives out by itself: while the server is down, a client that tries to reach it on
/// one of those may be given that very port as its own, be connected to itself, and keep the server from returning.
pub(crate) fn free_port() -> u16 {
    loop {
        // Other tests look for ports at the same time: none is tried twice here, and each process starts elsewhere.
        let step = std::process::id().wrapping_mul(101).wrapping_add(PORTS.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(step % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn has_ended(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // pid (name) state …
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_none_or(|state| state == "Z")
}

/// The children of a process, separated by spaces.
fn children_of(parent: u32) -> String {
    let mut children = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        // pid (name) state ppid …: the name may hold anything, so read from behind it.
        let ppid = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if ppid == Some(parent.to_string().as_str()) {
            children.push(process.file_name().to_string_lossy().into_owned());
        }
    }
    children.join(" ")
}
