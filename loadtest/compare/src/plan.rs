//! Who is compared with whom, at what.

use clap::ValueEnum;
use serde::Serialize;

/// A server under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    Noop,
    NoopActor,
    Original,
    RowLock,
    RowLockOne,
    LuaEverysec,
    LuaAlways,
    Gavel,
    GavelCluster,
    Nchan,
    Nats,
    SocketIo,
    Hub,
}

impl Peer {
    /// As the table calls it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Noop => "no-op handler (the ceiling)",
            Self::NoopActor => "no-op + actor round trip",
            Self::Original => "original design (Express, Sequelize, Socket.IO, Postgres)",
            Self::RowLock => "Postgres row lock, 64 connections",
            Self::RowLockOne => "Postgres row lock, 1 connection (no convoy)",
            Self::LuaEverysec => "Redis Lua, AOF everysec (may lose a second)",
            Self::LuaAlways => "Redis Lua, AOF always (the durable peer)",
            Self::Gavel => "**Gavel**, embedded store, fsync on",
            Self::GavelCluster => "**Gavel**, Postgres + Redis bus",
            Self::Nchan => "nginx + nchan",
            Self::Nats => "nats-server over WebSocket",
            Self::SocketIo => "Socket.IO",
            Self::Hub => "naive actix hub",
        }
    }

    /// Whether it keeps a history that can be held against its receipts.
    pub(crate) const fn is_checked(self) -> bool {
        match self {
            Self::RowLock
            | Self::RowLockOne
            | Self::LuaEverysec
            | Self::LuaAlways
            | Self::Gavel
            | Self::GavelCluster => true,
            Self::Noop | Self::NoopActor | Self::Original | Self::Nchan | Self::Nats | Self::SocketIo | Self::Hub => {
                false
            }
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Load {
    Hot,
    Spread,
    TooLow,
    /// As `TooLow`, on auctions that have many bids already.
    TooLowOld,
    /// Bids over WebSocket.
    Socket,
    Fan,
    FanLarge,
    Idle,
}

const BIDDING: [Peer; 9] = [
    Peer::Noop,
    Peer::NoopActor,
    Peer::Original,
    Peer::RowLock,
    Peer::RowLockOne,
    Peer::LuaEverysec,
    Peer::LuaAlways,
    Peer::Gavel,
    Peer::GavelCluster,
];
const TELLING: [Peer; 5] = [Peer::Nchan, Peer::Nats, Peer::SocketIo, Peer::Hub, Peer::Gavel];

impl Load {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 8] =
        [Self::Hot, Self::Spread, Self::TooLow, Self::TooLowOld, Self::Socket, Self::Fan, Self::FanLarge, Self::Idle];

    /// Who takes part.
    pub(crate) const fn peers(self) -> &'static [Peer] {
        match self {
            Self::Hot | Self::Spread | Self::TooLow => &BIDDING,
            Self::TooLowOld => &[Peer::Original],
            Self::Socket => &[Peer::Gavel, Peer::GavelCluster],
            Self::Fan | Self::FanLarge | Self::Idle => &TELLING,
        }
    }

    /// Whether watchers are told, or bids are made.
    pub(crate) const fn is_fan_out(self) -> bool {
        matches!(self, Self::Fan | Self::FanLarge | Self::Idle)
    }
}
