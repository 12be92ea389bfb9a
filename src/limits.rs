//! Every bound in one place: unit, reason, and what happens when it is reached.
//!
//! Bounds that an operator may want to move are settings (`config/default.toml`); these are the rest.

use std::time::Duration;

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
/// Reads that wait for a reader of the embedded store. Full → the caller waits.
pub const STORE_READS_MAX: usize = 1_024;
/// How long one of the embedded store's connections waits for another's file lock before it fails. Writer and readers do not
/// block each other; only a schema change or a recovery after a crash does.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Times, 100 ms apart, that `gavel migrate` tries for the database while another migration holds it. Then it is refused.
pub const STORE_MIGRATE_LOCK_TRIES: u32 = 50;
/// Pages (4 KiB) of the write-ahead log before it is folded into the database file: 16 MiB. Less folds hot pages too often,
/// more makes each fold a longer pause.
pub const STORE_WAL_PAGES: i64 = 4_000;
/// KiB of pages that the embedded store's writer keeps in memory.
pub const STORE_WRITER_CACHE_KIB: i64 = 65_536;
/// Prepared statements that a connection keeps; more than this program has.
pub const STORE_STATEMENTS: usize = 64;
/// Rows that the auditor reads at a time.
pub const AUDIT_PAGE: u32 = 1_000;
/// Faults that the auditor keeps word for word; the rest are only counted.
pub const AUDIT_FAULTS_MAX: usize = 1_000;
/// Connections to Postgres that read, and write what is no bid. All busy → the caller waits up to [`POSTGRES_READ`].
pub const POSTGRES_CONNECTIONS: usize = 8;
/// Connections to Postgres for nodes and shards, apart from the readers so that a renewal never waits for a page.
pub const POSTGRES_OWNER_CONNECTIONS: usize = 2;
/// Commits that wait for the connection to Postgres; the committer has one in flight. Full → the caller waits.
pub const POSTGRES_COMMITS_MAX: usize = 64;
/// Time to connect to Postgres. Longer → unavailable.
pub const POSTGRES_CONNECT: Span = Span::from_secs(2);
/// Time that a statement on Postgres other than a commit may take. Longer → the server ends it.
pub const POSTGRES_READ: Span = Span::from_secs(5);
/// Time that a takeover waits for a shard's row. Longer → the old owner's connections are ended, and again.
pub const POSTGRES_LOCK: Span = Span::from_millis(500);
/// How often a takeover tries for a lock before it is unavailable.
pub const POSTGRES_LOCK_TRIES: u32 = 5;
/// Data to Postgres that stays unacknowledged for this long means that the connection is dead (`TCP_USER_TIMEOUT`).
pub const POSTGRES_SILENCE: Span = Span::from_secs(5);
/// An idle connection to Postgres is probed after this long, and again; three probes unanswered → dead.
pub const POSTGRES_KEEPALIVE: Span = Span::from_secs(1);
/// Pause after a failed connection attempt of the committing connection; doubles up to [`POSTGRES_RECONNECT_MAX`].
pub const POSTGRES_RECONNECT_MIN: Span = Span::from_millis(20);
/// See [`POSTGRES_RECONNECT_MIN`]: bids are accepted again within this after Postgres is back.
pub const POSTGRES_RECONNECT_MAX: Span = Span::from_millis(500);
/// Pairs (auction, bidder) known to be stored (some 50 bytes each); of others it is sent once more that they bid there.
pub const POSTGRES_BIDDERS_KNOWN: usize = 200_000;
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
pub const CLOSE_AFTER: Span = Span::from_millis(20);
/// A closing that was not written is decided again after this long.
pub const CLOSE_RETRY: Span = Span::from_millis(500);
/// A sleeping auction is woken this long before its closing instant, so that a bid in time finds it awake.
pub const WAKE_AHEAD: Span = Span::from_secs(2);
/// An auction that could not be read from the store is read again after this long.
pub const READ_RETRY: Span = Span::from_millis(250);
/// An auction is started anew this often for one bid before the bid is told `moving`.
pub const STARTS_PER_BID: usize = 3;
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
/// A body that is no upload and has not arrived after this long is given up: → 408 `timeout`.
pub const BODY_WITHIN: Span = Span::from_secs(10);
/// Bytes of an uploaded picture (the original application's bound). Larger → 413 `too_large`.
pub const IMAGE_BYTES_MAX: usize = 5 * 1_024 * 1_024;
/// Pixels along either side of an uploaded picture: bounds what decoding may allocate. More → 422 `invalid`.
pub const IMAGE_SIDE_MAX: u32 = 8_000;
/// Pixels along the longer side of a stored picture; larger ones are scaled down.
pub const IMAGE_STORED_SIDE_MAX: u32 = 1_600;
/// Uploads read or waiting to be decoded: each may hold [`IMAGE_BYTES_MAX`]. Full → 503 `overloaded`.
pub const UPLOADS_AT_ONCE: usize = 32;
/// An upload that has not arrived after this long is given up: → 422 `invalid`.
pub const UPLOAD_WITHIN: Span = Span::from_secs(60);
/// Bytes that decoding one picture may allocate. More → 422 `invalid`.
pub const IMAGE_DECODE_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
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
/// A sign-in held in memory is looked up again after this long, and one that a live session came with: bounds how long
/// one lives on that ended on another node when the bus could not say so.
pub const TOKEN_RECHECK: Span = Span::from_secs(60);
/// Users and addresses that a rate is remembered for before the ones at rest are looked for and forgotten.
pub const LIMITER_KEYS_UNSWEPT_MAX: usize = 10_000;
/// Rate checks between two looks whether there are that many.
pub const LIMITER_CHECKS_BETWEEN_SWEEPS: u32 = 1_024;
/// Items on one page of a list; more in `limit` → 422 `invalid`.
pub const PAGE_ITEMS_MAX: u32 = 1_000;
/// Bids, and auctions watched or won, that a user's own page shows: the newest ones.
pub const OWN_ITEMS_MAX: u32 = 200;
/// How far back an auction may be said to start: forgives a client's clock.
pub const START_PAST_MAX: Span = Span::from_secs(300);
/// How long the readiness check waits for the store.
pub const READY_WITHIN: Span = Span::from_secs(2);
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
pub const REPLAY_EVENTS_MAX: u32 = 20_000;
/// Bytes of a frame from a client. Larger → close code 1009.
pub const FRAME_BYTES_MAX: usize = 16 * 1_024;
/// Bids a WebSocket connection may have unanswered. More → the bid is answered `overloaded`.
pub const BIDS_IN_FLIGHT_PER_SESSION: usize = 256;
/// Publications that wait for one worker's hub. Full → dropped there; the gap is seen by seq and filled from the store.
pub const HUB_QUEUE_MAX: usize = 16_384;
/// The kernel's send buffer of a connection: bounds what a stuck reader holds.
pub const SOCKET_SEND_BUFFER_BYTES: usize = 64 * 1_024;
/// How long the kernel lets a peer take nothing before it ends the connection: later than
/// [`SESSION_STUCK`], so that the hub sees and counts it first.
pub const PEER_STUCK: Span = Span::from_secs(20);
/// Time between two pings to a WebSocket client.
pub const PING_EVERY: Span = Span::from_secs(20);
/// A WebSocket client that sent nothing, not even a pong, for this long is cut off.
pub const SILENCE_MAX: Span = Span::from_secs(60);
/// Frames of a WebSocket client that made no sense. More → close code 1008.
pub const INVALID_FRAMES_MAX: u32 = 100;
/// Frames, bids aside, that a WebSocket client may send each second in the long run: bounds the reads and log lines it
/// causes, also where rates are off. More → `rate_limited`, and each counts as one that made no sense.
pub const FRAMES_PER_SECOND_PER_SESSION: u32 = 100;
/// Frames, bids aside, that may come at once: all subscriptions of a client that connects again, and as many more.
pub const FRAMES_AT_ONCE_PER_SESSION: u32 = 200;
/// Bytes a session hands to its socket in one write: bounds what waits behind a full socket. The rest goes with the next.
pub const SEND_BYTES_AT_ONCE: usize = 16 * 1_024;
/// Frames that may wait for a session when a tick is due. More → this session skips the tick.
pub const TICK_BACKLOG_FRAMES: usize = 8;
/// Events of an auction that a hub keeps for sessions that come back. Older → read from the history.
pub const RECENT_EVENTS_PER_AUCTION: usize = 1_024;
/// Events of an auction that came before an earlier one. Full → dropped, and read with the gap.
pub const EVENTS_AHEAD_MAX: usize = 1_024;
/// Events in one read for a session that catches up: fits its queue.
pub const CATCH_UP_EVENTS_PER_READ: u32 = 128;
/// Events in one read that fills a gap.
pub const GAP_EVENTS_PER_READ: u32 = 1_000;
/// Age up to which a snapshot serves further sessions.
pub const SNAPSHOT_FRESH: Span = Span::from_secs(1);
/// Events that may follow a shared snapshot. More → it is read anew.
pub const SNAPSHOT_EVENTS_BEHIND_MAX: usize = 128;
/// Reads of the history that one hub has under way. Full → they wait.
pub const HISTORY_READS_AT_ONCE: usize = 16;
/// Reads of the history that wait. Full → tried again at the next tick.
pub const HISTORY_READS_WAITING_MAX: usize = 4_096;
/// Orders (ticks, sign-outs, shutdown) that wait for one hub. Full → a tick is skipped; a sign-out ends every signed-in session there.
pub const HUB_ORDERS_MAX: usize = 1_024;
/// Sign-outs a hub remembers, for a session that was still being set up. The oldest go first.
pub const SIGN_OUTS_REMEMBERED: usize = 1_024;
/// Publications a hub hands out before it lets its sessions send.
pub const EVENTS_PER_TURN: usize = 64;
/// Sessions a hub gives their tick before it lets them send.
pub const SESSIONS_PER_TURN: usize = 512;
/// On shutdown, a session waits this long for the answers to its bids.
pub const RECEIPTS_AWAITED: Span = Span::from_secs(3);
/// Time between two ticks of the server clock.
pub const TICK: Span = Span::from_secs(1);
/// How long an idle HTTP connection is kept.
pub const KEEP_ALIVE: Span = Span::from_secs(75);
/// How long a client may take to send the head of a request.
pub const REQUEST_HEAD_WITHIN: Span = Span::from_secs(10);
/// The part of a graceful stop in which open connections may finish.
pub const CONNECTIONS_END_WITHIN: Span = Span::from_secs(4);
/// Time that a graceful stop may take.
pub const STOP_WITHIN: Span = Span::from_secs(10);

/// Channels of Redis that events are spread over by their auction. All nodes of a cluster listen to all of them.
pub const BUS_CHANNELS: i64 = 64;
/// Publications that wait to be sent to Redis. Full → the other nodes do not get the newest by it; they find them by seq
/// and by the heads.
pub const BUS_QUEUE_MAX: usize = 65_536;
/// Ticks and sign-outs that find a place in that queue beyond its publications. Full → a sign-out is noticed elsewhere
/// after [`TOKEN_RECHECK`].
pub const BUS_WORDS_MAX: usize = 4_096;
/// Publications that go to Redis in one round trip. The rest goes with the next.
pub const BUS_PUBLICATIONS_AT_ONCE: usize = 4_096;
/// Bytes from which on a message to Redis takes no further publication: the next one goes into another.
pub const BUS_MESSAGE_BYTES: usize = 32 * 1_024;
/// Messages from Redis that wait to be read. Full → dropped; found by seq and by the heads.
pub const BUS_RECEIVED_MAX: usize = 8_192;
/// Time to connect to Redis, or for it to take what was published. Longer → connected anew.
pub const REDIS_WITHIN: Span = Span::from_secs(1);
/// Time between two signs of life that are asked of Redis on an idle connection.
pub const REDIS_PING: Span = Span::from_secs(1);
/// A bus that heard nothing from Redis for this long is not healthy.
pub const REDIS_SILENCE: Span = Span::from_millis(1_500);
/// Pause after a connection to Redis failed or was lost; doubles up to [`REDIS_RECONNECT_MAX`].
pub const REDIS_RECONNECT_MIN: Span = Span::from_millis(20);
/// See [`REDIS_RECONNECT_MIN`].
pub const REDIS_RECONNECT_MAX: Span = Span::from_millis(500);
/// Connections to Redis for counting what is rare. All busy → the node counts alone.
pub const REDIS_TALLY_CONNECTIONS: usize = 4;
/// Time that counting over all nodes may take. Longer → the node counts alone.
pub const REDIS_TALLY_WITHIN: Span = Span::from_millis(250);
/// When no tick of the node that leads the clock came for this long, a node goes by its own clock.
pub const TICK_OVERDUE: Span = Span::from_millis(1_500);
/// A tick that is further than this from the own clock is old, or from a clock that is wrong: it is not relayed.
pub const TICK_APART_MAX: Span = Span::from_secs(2);
/// Time between two looks at the stored heads of the auctions followed here that another node decides.
pub const HEADS_EVERY: Span = Span::from_secs(1);
/// Part of that time which is left to events on their way, before a hub that does not have a stored head counts as
/// behind: a busy auction's newest events are always on their way.
pub const HEADS_GRACE: Span = Span::from_millis(250);
/// Heads read at once. The rest is read after them.
pub const HEADS_PER_READ: usize = 1_000;

const _: () = assert!(BIDS_IN_FLIGHT_PER_AUCTION <= BIDS_IN_FLIGHT_PER_NODE, "one auction cannot hold more than all");
const _: () = assert!(OUTBOX_MAX > BIDS_IN_FLIGHT_PER_NODE, "closing events find a place beside all bids");
const _: () = assert!(CONNECTIONS_END_WITHIN.0 < STOP_WITHIN.0, "connections end before the stop is over");
const _: () = assert!(REPLAY_EVENTS_MAX >= PAGE_ITEMS_MAX, "a replay covers at least a page");
const _: () = assert!(POSTGRES_LOCK.0 < POSTGRES_READ.0, "a takeover hears of a lock before its statement is ended");
const _: () = assert!(REDIS_RECONNECT_MIN.0 <= REDIS_RECONNECT_MAX.0, "pauses grow");
const _: () = assert!(REDIS_PING.0 < REDIS_SILENCE.0, "a healthy bus has been heard when its time is over");
const _: () = assert!(HEADS_GRACE.0 < HEADS_EVERY.0, "the grace is part of the time between two looks");
const _: () = assert!(TICK.0 < TICK_OVERDUE.0 && TICK_OVERDUE.0 < TICK_APART_MAX.0, "a tick may be late, not early");
const _: () = assert!(POSTGRES_RECONNECT_MIN.0 <= POSTGRES_RECONNECT_MAX.0, "pauses grow");
const _: () = assert!(PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX, "the default page fits");
const _: () =
    assert!((CATCH_UP_EVENTS_PER_READ as usize) < SESSION_QUEUE_FRAMES, "a read for a session fits its queue");
const _: () = assert!(EVENTS_PER_TURN < SESSION_QUEUE_FRAMES, "one turn does not fill an empty queue");
const _: () = assert!(SNAPSHOT_EVENTS_BEHIND_MAX <= RECENT_EVENTS_PER_AUCTION, "what follows a snapshot is at hand");
const _: () = assert!(
    FRAMES_AT_ONCE_PER_SESSION as usize > SUBSCRIPTIONS_PER_SESSION_MAX,
    "a client that connects again may follow all its auctions at once"
);
const _: () = assert!(PASSWORD_CHARS_MIN < PASSWORD_CHARS_MAX, "some password is acceptable");
