//! Every bound in one place: unit, reason, and what happens when it is reached.
//!
//! Bounds that an operator may want to move are settings (`config/default.toml`); these are the rest.

use crate::domain::Span;

/// Bids of one auction that are decided but not yet answered, or wait to be decided. Full → `overloaded`.
pub const BIDS_IN_FLIGHT_PER_AUCTION: usize = 4_096;
/// The same over all auctions of a node: bounds the outbox and the committer's queue. Full → `overloaded`.
pub const BIDS_IN_FLIGHT_PER_NODE: usize = 32_768;
/// Decided entries that wait for the committer. Full → the next bid is `overloaded` before it is decided.
pub const OUTBOX_MAX: usize = 65_536;
/// Rows (events and rejections) in one commit: keeps a commit within tens of milliseconds. The rest waits for the next.
pub const COMMIT_ROWS_MAX: usize = 4_096;
/// Rejections of one auction that were answered and wait to be remembered. Full → the next one is answered after its commit.
pub const REJECTIONS_QUEUED_MAX: usize = 16_384;
/// Jobs that wait for the embedded store's writer. Full → the caller waits.
pub const STORE_JOBS_MAX: usize = 1_024;
/// Connections that read beside the embedded store's writer.
pub const STORE_READERS: usize = 4;
/// Connections to Postgres that read, and write what is no bid. All busy → the caller waits up to [`STORE_READ`].
pub const STORE_CONNECTIONS: usize = 8;
/// Connections to Postgres for nodes and shards, apart from the readers so that a renewal never waits for a page.
pub const STORE_OWNER_CONNECTIONS: usize = 2;
/// Commits that wait for the connection to Postgres; the committer has one in flight. Full → the caller waits.
pub const STORE_COMMITS_MAX: usize = 64;
/// Time to connect to Postgres. Longer → unavailable.
pub const STORE_CONNECT: Span = Span::from_secs(2);
/// Time that a statement on Postgres other than a commit may take. Longer → the server ends it.
pub const STORE_READ: Span = Span::from_secs(5);
/// Time that a takeover waits for a shard's row. Longer → the old owner's connections are ended, and again.
pub const STORE_LOCK: Span = Span::from_millis(500);
/// How often a takeover tries for a lock before it is unavailable.
pub const STORE_LOCK_TRIES: u32 = 5;
/// Data to Postgres that stays unacknowledged for this long means that the connection is dead (`TCP_USER_TIMEOUT`).
pub const STORE_SILENCE: Span = Span::from_secs(5);
/// An idle connection to Postgres is probed after this long, and again; three probes unanswered → dead.
pub const STORE_KEEPALIVE: Span = Span::from_secs(1);
/// Pause after a failed connection attempt of the committing connection; doubles up to [`STORE_RECONNECT_MAX`].
pub const STORE_RECONNECT_MIN: Span = Span::from_millis(20);
/// See [`STORE_RECONNECT_MIN`]: bids are accepted again within this after Postgres is back.
pub const STORE_RECONNECT_MAX: Span = Span::from_millis(500);
/// Pairs (auction, bidder) known to be stored (some 50 bytes each); of others it is sent once more that they bid there.
pub const STORE_BIDDERS_KNOWN: usize = 200_000;
/// Bytes of a node's name: part of a Postgres connection's name, which holds 63.
pub const NODE_NAME_BYTES_MAX: usize = 24;
/// Shards of a new cluster: many for each node, so that load moves in small shares; fixed ever after.
pub const SHARDS: u32 = 1_024;
/// Auction actors awake at a time. Full → a bid on a sleeping auction is `overloaded`; idle ones sleep within a minute.
pub const AUCTIONS_AWAKE_MAX: usize = 100_000;
/// An auction without a command for this long goes to sleep.
pub const AUCTION_IDLE: Span = Span::from_secs(60);
/// Closing instants that the deadline watch holds in memory; the rest are read when their time comes nearer.
pub const DEADLINES_IN_MEMORY_MAX: usize = 10_000;

/// Answers that an awake auction knows by `bid_id` (16 bytes each and a table). Full → `overloaded`.
pub const ANSWERS_PER_AUCTION_MAX: usize = 50_000_000;
/// A closing event is decided this long after the closing instant, so that bids stamped before it are all in.
pub const CLOSE_AFTER: Span = Span::from_millis(5);
/// A bid that has no answer by then is told `outcome_pending`.
pub const ANSWER_WITHIN: Span = Span::from_secs(5);

/// Characters of a bid's message (the original application's bound).
pub const MESSAGE_CHARS_MAX: usize = 100;
/// Characters of an auction's title.
pub const TITLE_CHARS_MAX: usize = 120;
/// Characters of an auction's description.
pub const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Characters of a nick.
pub const NICK_CHARS_MAX: usize = 30;
/// Bytes of an e-mail address (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Characters of a password: at least 8 (NIST SP 800-63B, 5.1.1.2), at most what hashing may cost.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// See [`PASSWORD_CHARS_MIN`].
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Shortest and longest time an auction may run.
pub const DURATION_MIN: Span = Span::from_secs(1);
/// See [`DURATION_MIN`].
pub const DURATION_MAX: Span = Span::from_secs(365 * 24 * 3_600);
/// How far ahead an auction may start.
pub const START_AHEAD_MAX: Span = Span::from_secs(365 * 24 * 3_600);

/// Bytes of a JSON or form body. Larger → 413 `too_large`.
pub const BODY_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of an uploaded picture (the original application's bound). Larger → 413 `too_large`.
pub const IMAGE_BYTES_MAX: usize = 5 * 1_024 * 1_024;
/// Pixels along either side of an uploaded picture: bounds what decoding may allocate. More → 422 `invalid`.
pub const IMAGE_SIDE_MAX: u32 = 8_000;
/// Pixels along the longer side of a stored picture; larger ones are scaled down.
pub const IMAGE_STORED_SIDE_MAX: u32 = 1_600;
/// Uploads decoded at a time: each may hold 200 MB. Full → waits.
pub const IMAGES_DECODED_AT_ONCE: usize = 2;
/// Passwords hashed at a time: each takes 19 MiB and tens of milliseconds. Full → waits.
pub const PASSWORDS_HASHED_AT_ONCE: usize = 2;
/// Password hashes that may wait for their turn. Full → 503 `overloaded`.
pub const PASSWORDS_WAITING_MAX: usize = 256;
/// Tokens a user may hold; the oldest go first.
pub const TOKENS_PER_USER_MAX: u32 = 50;
/// How long a sign-in lasts.
pub const TOKEN_LIFE: Span = Span::from_secs(30 * 24 * 3_600);
/// Sign-ins held in memory; the least used are looked up again.
pub const TOKENS_CACHED_MAX: usize = 100_000;
/// Items on one page of a list; more in `limit` → 422 `invalid`.
pub const PAGE_ITEMS_MAX: u32 = 1_000;
/// Items on one page when `limit` is not given.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;

/// Frames that wait for one session beside what its socket holds. Full → the session is lagging and gets a snapshot.
pub const SESSION_QUEUE_FRAMES: usize = 256;
/// A session that could not take a frame for this long is cut off.
pub const SESSION_STUCK: Span = Span::from_secs(15);
/// Auctions that one session may follow. More → `too_many_subscriptions`.
pub const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 100;
/// Live sessions of a node. More → 503 `overloaded`.
pub const SESSIONS_MAX: usize = 50_000;
/// Events replayed to a session that reconnects; more missed → a snapshot.
pub const REPLAY_EVENTS_MAX: u32 = 5_000;
/// Bytes of a frame from a client. Larger → close code 1009.
pub const FRAME_BYTES_MAX: usize = 16 * 1_024;
/// Bids a WebSocket connection may have unanswered. More → the bid is answered `overloaded`.
pub const BIDS_IN_FLIGHT_PER_SESSION: usize = 256;
/// Publications that wait for one worker's hub. Full → dropped there; the gap is seen by seq and filled from the store.
pub const HUB_QUEUE_MAX: usize = 16_384;
/// The kernel's send buffer of a connection: bounds what a stuck reader holds.
pub const SOCKET_SEND_BUFFER_BYTES: usize = 64 * 1_024;
/// Time between two ticks of the server clock.
pub const TICK: Span = Span::from_secs(1);
/// Time that a graceful stop may take.
pub const STOP_WITHIN: Span = Span::from_secs(10);

const _: () = assert!(BIDS_IN_FLIGHT_PER_AUCTION <= BIDS_IN_FLIGHT_PER_NODE, "one auction cannot hold more than all");
const _: () = assert!(OUTBOX_MAX > BIDS_IN_FLIGHT_PER_NODE, "closing events find a place beside all bids");
const _: () = assert!(REPLAY_EVENTS_MAX >= PAGE_ITEMS_MAX, "a replay covers at least a page");
const _: () = assert!(STORE_LOCK.0 < STORE_READ.0, "a takeover hears of a lock before its statement is ended");
const _: () = assert!(STORE_RECONNECT_MIN.0 <= STORE_RECONNECT_MAX.0, "pauses grow");
const _: () = assert!(PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX, "the default page fits");
const _: () = assert!(PASSWORD_CHARS_MIN < PASSWORD_CHARS_MAX, "some password is acceptable");
