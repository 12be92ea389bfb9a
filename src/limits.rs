//! Every bound in one place: unit, reason, and what happens when it is reached.
//!
//! Bounds that an operator may want to move are settings (`config/default.toml`); these are the rest.

use std::time::Duration;

use crate::domain::Span;

mod nodes;

pub use self::nodes::*;

/// Bids of one auction that are decided but not yet answered, or wait to be decided. Full → `overloaded`.
pub const BIDS_IN_FLIGHT_PER_AUCTION: usize = 4_096;
/// The same over all auctions of a node: bounds the outbox and the committer's queue. Full → `overloaded`.
pub const BIDS_IN_FLIGHT_PER_NODE: usize = 32_768;
/// Decided entries that wait for the committer. Full → the next bid is `overloaded` before it is decided.
pub const OUTBOX_MAX: usize = 65_536;
/// Rows (events and rejections) in one commit: keeps a commit within tens of milliseconds. The rest waits for the next.
pub const COMMIT_ROWS_MAX: usize = 4_096;
/// How long rejections that were answered wait for others when nothing else is to be committed. A crash forgets those that wait.
pub const COMMIT_LINGER: Span = Span::from_millis(10);
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
/// Times that `gavel migrate` tries for the database while another migration holds it. Then it is refused.
pub const STORE_MIGRATE_LOCK_TRIES: u32 = 50;
/// Time between two of these tries.
pub const STORE_MIGRATE_LOCK_PAUSE: Span = Span::from_millis(100);
/// Size of the embedded store's pages, bytes. A commit rewrites whole pages, for bids on many auctions at least one for each.
pub const STORE_PAGE_BYTES: i64 = 2_048;
/// Pages of the write-ahead log before it is folded into the database file: 16 MiB. Less folds hot pages too often,
/// more makes each fold a longer pause.
pub const STORE_WAL_PAGES: i64 = 16 * 1_024 * 1_024 / STORE_PAGE_BYTES;
/// KiB of pages that the embedded store's writer keeps in memory. Not more: `SQLite` looks through all of them after a
/// commit that split a page (`src/ARCHITECTURE.md`, Speed).
pub const STORE_WRITER_CACHE_KIB: i64 = 16_384;
/// Prepared statements that a connection keeps; more than this program has.
pub const STORE_STATEMENTS: usize = 64;
/// Rows that the auditor reads at a time.
pub const AUDIT_PAGE: u32 = 1_000;
/// Faults that the auditor keeps word for word; the rest are only counted.
pub const AUDIT_FAULTS_MAX: usize = 1_000;
/// Connections to Postgres that read, and write what is no bid. All busy → the caller waits up to [`POSTGRES_READ`].
pub const POSTGRES_CONNECTIONS: usize = 8;
/// Connections to Postgres for nodes and shards, apart from the readers so that a renewal never waits for a page. One
/// renews, one looks, a takeover may need two, and shards are released beside them. All busy → the caller waits.
pub const POSTGRES_OWNER_CONNECTIONS: usize = 6;
/// Commits that wait for the connection to Postgres; the committer has one in flight. Full → the caller waits.
pub const POSTGRES_COMMITS_MAX: usize = 64;
/// Time to connect to Postgres. Longer → unavailable.
pub const POSTGRES_CONNECT: Span = Span::from_secs(2);
/// Time that a statement on Postgres other than a commit may take. Longer → the server ends it.
pub const POSTGRES_READ: Span = Span::from_secs(5);
/// Time that one of the auditor's statements may take: it may go through all bids of an auction. Longer → the audit fails.
pub const POSTGRES_AUDIT: Span = Span::from_secs(600);
/// Time that a takeover waits for a shard's row. Longer → the old owner's connections are ended, and again.
pub const POSTGRES_LOCK: Span = Span::from_millis(500);
/// How often a takeover tries for a lock before it is unavailable.
pub const POSTGRES_LOCK_TRIES: u32 = 5;
/// Time that a start waits for another that migrates, and a migration for a table. Longer → the start fails with a clear
/// error. One that migrates and says nothing for [`POSTGRES_READ`] has lost its turn long before.
pub const POSTGRES_MIGRATION_LOCK: Span = Span::from_secs(10);
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
/// Auction actors awake at a time. Full → a bid on a sleeping auction is `overloaded`; idle ones sleep within a minute.
pub const AUCTIONS_AWAKE_MAX: usize = 100_000;
/// An auction without a command for this long goes to sleep.
pub const AUCTION_IDLE: Span = Span::from_secs(60);
/// Shortest time between two looks whether an auction may go to sleep.
pub const AUCTION_IDLE_LOOK: Span = Span::from_millis(100);
/// Closing instants that the deadline watch holds in memory; the rest are read when their time comes nearer.
pub const DEADLINES_IN_MEMORY_MAX: usize = 10_000;
/// Closing instants that could not be read, and auctions that could not be woken, are tried again after this long.
pub const DEADLINES_RETRY: Span = Span::from_secs(1);
/// The watch reads all closing instants again this often: an auction whose creation was not told closes in time if it
/// was created earlier than this before its end, else this late.
pub const DEADLINES_REREAD: Span = Span::from_secs(25);
/// An auction counts as closing until this long after its closing instant: its end is being written.
pub const CLOSING_LASTS: Span = Span::from_secs(5);

/// Answers that an awake auction knows by `bid_id` (16 bytes each and a table). Full → `overloaded`.
pub const ANSWERS_PER_AUCTION_MAX: usize = 50_000_000;
/// A closing event is decided this long after the closing instant, so that bids stamped before it are all in.
pub const CLOSE_AFTER: Span = Span::from_millis(20);
/// A closing that was not written is decided again after this long.
pub const CLOSE_RETRY: Span = Span::from_millis(500);
/// A sleeping auction is woken this long before its closing instant, so that a bid in time finds it awake.
pub const WAKE_AHEAD: Span = Span::from_secs(2);
/// Time that the store takes no commits, from which on it is an outage and bidders have lost something: commits on a busy
/// disk have taken a second. Shorter → nobody is given time for it.
pub const OUTAGE_MIN: Span = Span::from_secs(2);
/// Outages that are less than this apart are one: a store that fails again at once was never back.
pub const OUTAGES_APART: Span = Span::from_secs(5);
/// Outages that a node remembers. More → the two oldest count as one.
pub const OUTAGES_REMEMBERED: usize = 16;
/// While an auction is in its [`CLOSING_WINDOW`] the store is tried this often, whether or not anyone bids.
pub const OUTAGE_LOOK: Span = Span::from_secs(1);
/// While there is an outage the store is tried this often; while there is none, a commit that hangs is looked for.
pub const OUTAGE_PROBE: Span = Span::from_millis(250);
/// The time before its closing instant in which an outage extends an auction, and the most that it runs once more.
pub const CLOSING_WINDOW: Span = Span::from_secs(60);
/// How far outages may move a closing instant altogether, from where the seller set it (what the houses that publish a
/// rule give after an outage: a day). Further → it closes there.
pub const EXTENSION_MAX: Span = Span::from_secs(24 * 3_600);
/// An auction that could not be read from the store is read again after this long.
pub const READ_RETRY: Span = Span::from_millis(250);
/// An auction is started anew this often for one bid before the bid is told `moving`.
pub const STARTS_PER_BID: usize = 3;
/// A bid that has no answer by then is told `outcome_pending`.
pub const ANSWER_WITHIN: Span = Span::from_secs(5);

/// Characters of a bid's message (the original application's bound).
pub const MESSAGE_CHARS_MAX: usize = 100;
/// Characters that a page shows of a message that came in its address, which anyone may have written. The rest is cut off.
pub const NOTE_CHARS_MAX: usize = 200;
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
/// Pixels along either side of an uploaded picture. More → 422 `invalid`.
pub const IMAGE_SIDE_MAX: u32 = 8_000;
/// Bytes of a picture that a form brings and nobody keeps, read on so that the browser comes to read the answer. More →
/// the answer leaves before the end of the form.
pub const PICTURE_SKIPPED_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Pixels of an uploaded picture: takes what telephones make (24.5 million). More → 422 `invalid`.
pub const IMAGE_PIXELS_MAX: u64 = 25_000_000;
/// Pixels along the longer side of a stored picture; larger ones are scaled down.
pub const IMAGE_STORED_SIDE_MAX: u32 = 1_600;
/// Uploads read or waiting to be decoded: each may hold [`IMAGE_BYTES_MAX`]. Full → 503 `overloaded`.
pub const UPLOADS_AT_ONCE: usize = 32;
/// An upload that has not arrived after this long is given up: → 408 `timeout`; the pages' form is shown again.
pub const UPLOAD_WITHIN: Span = Span::from_secs(60);
/// Bytes that decoding one picture may allocate: [`IMAGE_PIXELS_MAX`] of 4 bytes each, and room to work. More → 422 `invalid`.
pub const IMAGE_DECODE_BYTES_MAX: u64 = 128 * 1_024 * 1_024;
/// Uploads decoded at a time: each may hold 230 MB (measured at [`IMAGE_PIXELS_MAX`], scaling included). Full → waits.
pub const IMAGES_DECODED_AT_ONCE: usize = 2;
/// Pictures that a user may have stored which no auction shows. One more → the oldest goes.
pub const IMAGES_UNUSED_PER_USER_MAX: u32 = 20;
/// A picture that no auction shows goes after this long, with the next one that anyone stores.
pub const IMAGE_UNUSED_LIFE: Span = Span::from_secs(24 * 3_600);
/// So many of those are removed with each that is stored, so that it never takes long; they cannot become more.
pub const IMAGES_REMOVED_AT_ONCE: u32 = 16;
/// Passwords hashed at a time: each takes 19 MiB and tens of milliseconds. Full → waits.
pub const PASSWORDS_HASHED_AT_ONCE: usize = 2;
/// Password hashes that may wait for their turn. Full → 503 `overloaded`.
pub const PASSWORDS_WAITING_MAX: usize = 256;
/// Tokens a user may hold. One more → the oldest ends, with its live streams.
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
/// When an address that holds as many live streams as it may should try for another: streams end whenever they like.
pub const STREAM_PLACE_RETRY: Span = Span::from_secs(5);
/// Items on one page of a list; more in `limit` → 422 `invalid`.
pub const PAGE_ITEMS_MAX: u32 = 1_000;
/// Bytes of descriptions on one page of a list: beyond it a page ends before its `limit`, and its cursor goes on.
pub const PAGE_DESCRIPTIONS_BYTES_MAX: usize = 1_024 * 1_024;
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
/// Bytes a session takes from its socket in one read. The rest comes with the next.
pub const RECEIVE_BYTES_AT_ONCE: usize = 8 * 1_024;
/// How long an ended connection is read on, so that the last words reach the peer; also how long HTTP's may take to close.
pub const LINGER: Span = Span::from_secs(1);
/// Bytes read meanwhile and thrown away. More → the connection is cut.
pub const LINGER_BYTES: usize = 256 * 1_024;
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
/// Sessions a hub gives their tick before it lets them send and looks for events, which are more urgent.
pub const SESSIONS_PER_TURN: usize = 64;
/// On shutdown, a session waits this long for the answers to its bids.
pub const RECEIPTS_AWAITED: Span = Span::from_secs(2);
/// Time between two ticks of the server clock.
pub const TICK: Span = Span::from_secs(1);
/// Time between two looks at the stored heads of the auctions followed here.
pub const HEADS_EVERY: Span = Span::from_secs(1);
/// Part of that time which is left to events on their way, before a hub that does not have a stored head counts as
/// behind: a busy auction's newest events are always on their way.
pub const HEADS_GRACE: Span = Span::from_millis(250);
/// Heads read at once. The rest is read after them.
pub const HEADS_PER_READ: usize = 1_000;
const _: () = assert!(HEADS_GRACE.0 < HEADS_EVERY.0, "the grace is part of the time between two looks");
/// How long an idle HTTP connection is kept.
pub const KEEP_ALIVE: Span = Span::from_secs(75);
/// How long a client may take to send the head of a request.
pub const REQUEST_HEAD_WITHIN: Span = Span::from_secs(10);
/// The part of a graceful stop in which open connections may finish.
pub const CONNECTIONS_END_WITHIN: Span = Span::from_secs(4);
/// Time that a graceful stop may take: with the end of the process after it, within 10 s. What still runs then is cut.
pub const STOP_WITHIN: Span = Span::from_millis(9_500);

/// Time that a part of such a cluster may take to serve. Longer → it did not start.
pub const PART_READY_WITHIN: Duration = Duration::from_mins(1);
/// Time that a part may take to end: longer than [`STOP_WITHIN`]. Longer → it is killed.
pub const PART_STOP_WITHIN: Duration = Duration::from_secs(15);
/// How often one looks whether a part serves or has ended.
pub const PART_LOOK_EVERY: Duration = Duration::from_millis(20);
/// Time that Redis may take to answer whether it serves. Longer → asked again.
pub const PART_ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often Postgres is started when it ends at once: a process of the one before may still hold the data.
pub const PART_START_TRIES: u32 = 100;
/// How often the parts of a running cluster are looked after.
pub const PARTS_WATCHED_EVERY: Duration = Duration::from_millis(200);
/// Bytes of a part's log that are told when it did not start.
pub const LOG_TAIL_BYTES: u64 = 4_096;

const _: () = assert!(BIDS_IN_FLIGHT_PER_AUCTION <= BIDS_IN_FLIGHT_PER_NODE, "one auction cannot hold more than all");
const _: () = assert!(OUTBOX_MAX > BIDS_IN_FLIGHT_PER_NODE, "closing events find a place beside all bids");
const _: () = assert!(
    STOP_WITHIN.0 / 2 + CONNECTIONS_END_WITHIN.0 < STOP_WITHIN.0,
    "bids are answered in the first half and connections end before the stop is over"
);
const _: () = assert!(
    RECEIPTS_AWAITED.0 + LINGER.0 < CONNECTIONS_END_WITHIN.0,
    "a session that waits for receipts ends before its connection is cut"
);
const _: () = assert!(OUTAGE_PROBE.0 < OUTAGE_MIN.0, "a hiccup is not made longer by looking for its end");
const _: () = assert!(OUTAGE_LOOK.0 < OUTAGE_MIN.0, "an outage that counts is noticed though nobody bids");
const _: () = assert!(CLOSING_WINDOW.0 < EXTENSION_MAX.0, "an outage's time fits");
const _: () = assert!(CLOSING_WINDOW.0 <= MOVE_BEFORE_CLOSE.0, "who extends an auction is who saw its outage");
const _: () = assert!(REPLAY_EVENTS_MAX >= PAGE_ITEMS_MAX, "a replay covers at least a page");
const _: () = assert!(POSTGRES_LOCK.0 < POSTGRES_READ.0, "a takeover hears of a lock before its statement is ended");
const _: () = assert!(POSTGRES_READ.0 < POSTGRES_MIGRATION_LOCK.0, "who froze while it migrated is outwaited");
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
const _: () = assert!(4 * IMAGE_PIXELS_MAX < IMAGE_DECODE_BYTES_MAX, "the largest picture fits");
const _: () = assert!(PASSWORD_CHARS_MIN < PASSWORD_CHARS_MAX, "some password is acceptable");
