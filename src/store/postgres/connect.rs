//! How connections are made: to whom, under which name, how soon a dead one is noticed, and on which threads they live.

use std::pin::Pin;
use std::str::FromStr as _;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, NoTls};

use super::{OpenError, PostgresSettings};
use crate::domain::Span;
use crate::limits;

/// What a connection is for; part of its name on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Commits batches. Nothing cuts its statements short.
    Commit,
    /// Reads, and writes of users, auctions and pictures.
    Pool,
    /// Reads for the auditor: an auction's whole history in one statement, if need be.
    Audit,
    /// Moves nodes and shards. Waits for no lock longer than [`limits::POSTGRES_LOCK`].
    Owner,
    /// Brings the schema up to date. Waits for no lock longer than [`limits::POSTGRES_MIGRATION_LOCK`].
    Migrate,
}

/// The name that all connections of one incarnation of a node start with on the server (`application_name`).
pub(super) fn name_prefix(node: &str, incarnation: i64) -> String {
    format!("gavel/{node}/{incarnation:x}/")
}

/// The driver's configuration for `role`.
pub(super) fn config(settings: &PostgresSettings, role: Role) -> Result<Config, OpenError> {
    let mut config = Config::from_str(&settings.url).map_err(OpenError::Url)?;
    let (name, options) = match role {
        // No statement timeout: a commit ends when the server says so. The plan is made once; the array's length
        // tells the planner nothing, and without statistics it must not choose to read a whole table.
        Role::Commit => (
            "commit",
            "-c statement_timeout=0 -c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off \
             -c enable_mergejoin=off"
                .to_owned(),
        ),
        Role::Pool => ("pool", format!("-c statement_timeout={}", millis(limits::POSTGRES_READ))),
        Role::Audit => ("audit", format!("-c statement_timeout={}", millis(limits::POSTGRES_AUDIT))),
        Role::Owner => (
            "owner",
            format!(
                "-c statement_timeout={} -c lock_timeout={}",
                millis(limits::POSTGRES_READ),
                millis(limits::POSTGRES_LOCK)
            ),
        ),
        Role::Migrate => {
            ("migrate", format!("-c statement_timeout=0 -c lock_timeout={}", millis(limits::POSTGRES_MIGRATION_LOCK)))
        }
    };
    let given = config.get_options().unwrap_or_default();
    let idle = millis(limits::POSTGRES_READ);
    let options = format!("{given} {options} -c idle_in_transaction_session_timeout={idle}");
    config
        .application_name(format!("{}{name}", name_prefix(&settings.node, settings.incarnation)))
        .options(options.trim())
        .connect_timeout(limits::POSTGRES_CONNECT.into())
        .tcp_user_timeout(limits::POSTGRES_SILENCE.into())
        .keepalives(true)
        .keepalives_idle(limits::POSTGRES_KEEPALIVE.into())
        .keepalives_interval(limits::POSTGRES_KEEPALIVE.into())
        .keepalives_retries(3);
    if role != Role::Migrate {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(config)
}

/// A connection with the task that drives it.
pub(super) struct Connected {
    pub(super) client: Client,
    /// Ends when the connection does.
    pub(super) driver: JoinHandle<()>,
}

/// Connects, and drives the connection on the present runtime.
pub(super) async fn connect(config: &Config) -> Result<Connected, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = super::error::text(&error), "a connection to the store was lost");
        }
    });
    Ok(Connected { client, driver })
}

/// A pool whose connections live on `io`, whoever asks for them.
///
/// Readers learn of a dead connection by using it; those that move shards pay a round trip to know before.
pub(super) fn pool(config: Config, role: Role, io: &IoThread) -> Result<Pool, OpenError> {
    let (connections, recycling_method) = match role {
        Role::Owner => (limits::POSTGRES_OWNER_CONNECTIONS, RecyclingMethod::Verified),
        Role::Pool | Role::Audit | Role::Commit | Role::Migrate => {
            (limits::POSTGRES_CONNECTIONS, RecyclingMethod::Fast)
        }
    };
    let recycling = ManagerConfig { recycling_method };
    let manager = Manager::from_connect(config, OnThread(io.handle.clone()), recycling);
    Pool::builder(manager)
        .max_size(connections)
        .wait_timeout(Some(limits::POSTGRES_READ.into()))
        .create_timeout(Some(limits::POSTGRES_CONNECT.into()))
        .recycle_timeout(Some(limits::POSTGRES_CONNECT.into()))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| OpenError::Pool(error.to_string()))
}

/// Makes a pool's connections on one thread: they outlive the worker that happened to need the first.
struct OnThread(Handle);

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + 'a>>;

impl Connect for OnThread {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let config = config.clone();
        let connecting = self.0.spawn(async move { connect(&config).await });
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected.map(|Connected { client, driver }| (client, driver)),
                // The thread has ended with the store: the pool's own limit on connecting answers.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// A thread that runs connections, and nothing else.
pub(super) struct IoThread {
    pub(super) handle: Handle,
    /// Dropped with this: then the thread ends.
    _running: oneshot::Sender<()>,
}

impl IoThread {
    pub(super) fn start(name: &str) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Thread { source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (running, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // An error is what tells that nobody needs it any more.
                drop(runtime.block_on(stopped));
            })
            .map_err(failed)?;
        Ok(Self { handle, _running: running })
    }
}

fn millis(span: Span) -> i64 {
    span.0 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_of_a_connection_is_not_cut_off() {
        let node = "n".repeat(limits::NODE_NAME_BYTES_MAX);
        for role in ["commit", "pool", "audit", "owner", "migrate"] {
            // The server keeps 63 bytes.
            assert!(name_prefix(&node, -1).len() + role.len() <= 63, "{role}");
        }
    }

    #[test]
    fn what_the_url_asks_of_the_session_is_kept() {
        let settings = PostgresSettings {
            url: "postgres://gavel@10.0.0.1/gavel?options=-c%20work_mem%3D8MB".to_owned(),
            node: "a".to_owned(),
            incarnation: 255,
            shards: 1,
        };
        let config = config(&settings, Role::Commit).unwrap();
        assert_eq!(config.get_application_name(), Some("gavel/a/ff/commit"));
        let options = config.get_options().unwrap();
        assert!(options.starts_with("-c work_mem=8MB -c statement_timeout=0 "), "{options}");
    }
}
