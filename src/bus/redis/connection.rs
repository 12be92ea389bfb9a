//! How Redis is reached: one way to connect for the publisher, the subscriber and the pool.
//!
//! The client's own reconnecting manager is set aside: it gives up after some tries and says nothing when it could
//! not subscribe again. Here whoever lost its connection makes another and knows what it has to do on it.

use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisResult};

use super::RedisBusError;
use crate::limits::{REDIS_RECONNECT_MAX, REDIS_RECONNECT_MIN, REDIS_WITHIN};

/// One Redis server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    info: ConnectionInfo,
    client: Client,
}

impl Server {
    /// The one at `url`; nothing is connected yet.
    pub(super) fn at(url: &str) -> Result<Self, RedisBusError> {
        let info = url.into_connection_info().map_err(RedisBusError::Url)?;
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(REDIS_WITHIN.into());
        let info = info.set_redis_settings(redis).set_tcp_settings(tcp);
        let client = Client::open(info.clone()).map_err(RedisBusError::Url)?;
        Ok(Self { info, client })
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    pub(super) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// A connection for commands alone.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        self.client.get_multiplexed_async_connection_with_config(&config()).await
    }

    /// A connection that gives what comes by itself to `pushes`, which must not block.
    pub(super) async fn connect_listening(&self, pushes: impl AsyncPushSender) -> RedisResult<MultiplexedConnection> {
        self.client.get_multiplexed_async_connection_with_config(&config().set_push_sender(pushes)).await
    }
}

/// Bounds on every wait.
pub(super) fn config() -> AsyncConnectionConfig {
    let within = Some(Duration::from(REDIS_WITHIN));
    AsyncConnectionConfig::new().set_connection_timeout(within).set_response_timeout(within)
}

/// Asks for a sign of life.
pub(super) async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    redis::cmd("PING").query_async::<redis::Value>(connection).await.map(drop)
}

/// The pauses between attempts.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(REDIS_RECONNECT_MIN.into())
    }

    /// Whether no attempt has failed since the last success.
    pub(super) fn none_yet(&self) -> bool {
        self.0 == Duration::from(REDIS_RECONNECT_MIN)
    }

    /// An attempt failed: waits, longer each time.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(REDIS_RECONNECT_MAX.into());
    }
}
