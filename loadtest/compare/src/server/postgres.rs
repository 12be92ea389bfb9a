//! A private Postgres: fsync on, as its packagers leave it but for the number of connections.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::process::{Process, Start, free_port};
use crate::error::Fault;

/// Names the database that a peer gets.
const DATABASE: &str = "compare";

/// A running server with an empty database.
pub(crate) struct Postgres {
    pub(crate) process: Process,
    at: SocketAddr,
}

/// The folder of the newest Postgres on this machine.
pub(crate) fn folder() -> Option<String> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin", "/usr/bin", "/usr/local/pgsql/bin"].map(Into::into));
    let found = folders.into_iter().find(|it| it.join("postgres").is_file() && it.join("initdb").is_file());
    found.and_then(|it| it.to_str().map(str::to_owned))
}

/// Postgres refuses to run as root: then as this user.
fn unprivileged() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

impl Postgres {
    /// Makes a cluster in `folder` and starts it.
    pub(crate) fn start(folder: &Path, bin: &str) -> Result<Self, Fault> {
        let user = unprivileged();
        let home = folder.join("postgres");
        let data = home.join("data");
        std::fs::create_dir_all(&home).map_err(Fault::doing("making Postgres's folder"))?;
        if let Some((user, group)) = user {
            chown(&home, Some(user), Some(group)).map_err(Fault::doing("giving Postgres its folder"))?;
        }
        let mut init = Command::new("setpriv");
        if let Some((user, group)) = user {
            init.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
        }
        init.arg(format!("{bin}/initdb")).arg("-D").arg(&data).current_dir(&home);
        let made = init.args(["-U", "compare", "-A", "trust", "-E", "UTF8", "--locale=C"]).output();
        let made = made.map_err(Fault::doing("initdb"))?;
        if !made.status.success() {
            return Err(Fault(format!("initdb: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let at = free_port()?;
        let config = data.join("postgresql.conf");
        let mut lines = std::fs::read_to_string(&config).map_err(Fault::doing("reading postgresql.conf"))?;
        // Writing to a String cannot fail.
        let _written = write!(
            lines,
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nmax_connections = 200\n",
            at.port()
        );
        std::fs::write(&config, lines).map_err(Fault::doing("writing postgresql.conf"))?;
        let program = format!("{bin}/postgres");
        let mut start = Start::new("postgres", folder, &program);
        start.arguments = vec!["-D".to_owned(), data.display().to_string()];
        start.user = user;
        // Its fast shutdown: ends sessions, loses nothing.
        start.stop = "INT";
        let postgres = Self { process: start.start(&[at])?, at };
        postgres.make_database()?;
        Ok(postgres)
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://compare@127.0.0.1:{}/{DATABASE}", self.at.port())
    }

    fn make_database(&self) -> Result<(), Fault> {
        let admin = format!("postgres://compare@127.0.0.1:{}/postgres", self.at.port());
        let mut last = Fault("Postgres was not asked".to_owned());
        // It takes connections a moment before it answers them.
        for _ in 0..100 {
            match ask(&admin, &format!("CREATE DATABASE {DATABASE}")) {
                Ok(_) => return Ok(()),
                Err(fault) => last = fault,
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err(last)
    }

    /// Rows of the original that are not higher than all rows before them on the same item.
    pub(crate) fn broken_rows(&self) -> Result<u64, Fault> {
        let count = "SELECT count(*) FROM (SELECT bid, max(bid) OVER (PARTITION BY \"goodId\" ORDER BY id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM bids) AS rows WHERE bid <= before";
        let answer = ask(&self.url(), count)?;
        answer.parse().map_err(Fault::doing("counting the rows that break the rule"))
    }
}

/// One statement on a connection of its own; the first value of the answer, if there is one.
fn ask(url: &str, statement: &str) -> Result<String, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::doing("starting the runtime"))?;
    let asked = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.simple_query(statement).await
    });
    let messages = asked.map_err(Fault::doing("asking Postgres"))?;
    let mut values = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        SimpleQueryMessage::CommandComplete(_) | SimpleQueryMessage::RowDescription(_) | _ => None,
    });
    Ok(values.next().unwrap_or_default())
}
