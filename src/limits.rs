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
/// Times that `gavel migrate` tries for the database while another migration holds it. Then it is refused.
pub const STORE_MIGRATE_LOCK_TRIES: u32 = 50;
/// Time between two of these tries.
pub const STORE_MIGRATE_LOCK_PAUSE: Span = Span::from_millis(100);
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
/// Shards that a new cluster may have: each is a row that every node reads and an entry in its memory.
pub const SHARDS_MAX: u32 = 4_096;
/// Characters of the secret that the nodes share. Fewer → a fault of the settings.
pub const CLUSTER_SECRET_CHARS_MIN: usize = 16;
/// A node renews this often; others watch whether it does.
pub const RENEW_EVERY: Span = Span::from_secs(1);
/// After a renewal that failed, the next one: bids are accepted again this soon after the store is back.
pub const RENEW_AGAIN: Span = Span::from_millis(200);
/// A node's answers are final for this long after the start of its last renewal that succeeded.
pub const LEASE: Span = Span::from_secs(3);
/// A node that others have not seen renewing for this long on their own clocks has no shards any more.
pub const NODE_SILENT: Span = Span::from_secs(5);
/// A node that missed a beat for this long is asked whether its port is still open, and is given no shards.
pub const NODE_SUSPECT: Span = Span::from_millis(1_700);
/// Time between two looks at the nodes beyond which nobody's silence is counted: who looks was not looking.
pub const WATCH_BLIND: Span = Span::from_secs(2);
/// How long a connection attempt to a node that is suspected may take. Longer → it stays what it was.
pub const PROBE_WITHIN: Span = Span::from_millis(500);
/// A node's port is not tried more often than this.
pub const PROBE_EVERY: Span = Span::from_millis(200);
/// Addresses that wait to be tried. Full → the word is dropped; it comes again with the next bid or look.
pub const PROBES_MAX: usize = 16;
/// A node whose port refused is given no shards for this long, though it may renew.
pub const REFUSED_UNFIT: Span = Span::from_secs(10);
/// A call to the store about nodes or shards. Longer → given up, so that calls do not pile up.
pub const OWNERSHIP_CALL: Span = Span::from_secs(2);
/// A takeover may end a frozen owner's connections first ([`POSTGRES_LOCK`]). Longer → given up; the next look tells.
pub const TAKE_WITHIN: Span = Span::from_secs(5);
/// Shards that one call takes: keeps its transaction short.
pub const TAKE_SHARDS: usize = 256;
/// A shard that is free is left for this long to the node that it should go to, then to the next one, and so on.
pub const NEXT_NODE_AFTER: Span = Span::from_secs(1);
/// How often a node looks at nodes and shards: a node that died right after a renewal is missed within
/// [`NODE_SILENT`] and one such time.
pub const LOOK_EVERY: Span = Span::from_millis(500);
/// Pause between looks when someone doubts what is known: at most five a second.
pub const LOOK_AGAIN: Span = Span::from_millis(200);
/// The least time between two looks of their own accord, before a silent node is due to be held for dead.
pub const LOOK_SOON: Span = Span::from_millis(10);
/// Shards that are moved at once for balance, to one node: a new node has its share within a few seconds.
pub const MOVE_SHARDS: usize = 128;
/// Time between two such moves.
pub const MOVE_EVERY: Span = Span::from_millis(250);
/// A node that gained shards moves none for this long: it has to read first when their auctions close.
pub const MOVE_AFTER_GAIN: Span = Span::from_secs(1);
/// No shard with an auction that closes within this time is moved for balance.
pub const MOVE_BEFORE_CLOSE: Span = Span::from_secs(60);
/// What was decided in shards that are handed over is written within this time. Longer → their bids are told `moving`.
pub const HAND_OVER_WITHIN: Span = Span::from_millis(400);
/// Shards that a stopping node hands over in one go: few, so that each rests for milliseconds only.
pub const DRAIN_SHARDS: usize = 64;
/// Such goes at a time.
pub const DRAIN_AT_ONCE: usize = 4;
/// How often a stopping node looks whether others have its shards.
pub const DRAIN_LOOK: Span = Span::from_millis(50);
/// How long a node waits until another has heard that shards are free for it. Longer → that one finds them by looking.
pub const OFFER_WITHIN: Span = Span::from_secs(1);
/// Offers that wait to be taken up. Full → dropped; the shards are found by looking.
pub const OFFERS_MAX: usize = 64;
/// A node whose clock differs from the store's by more gives its shards up.
pub const CLOCK_OFF_MAX: Span = Span::from_millis(250);
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
/// An auction that could not be read from the store is read again after this long.
pub const READ_RETRY: Span = Span::from_millis(250);
/// An auction is started anew this often for one bid before the bid is told `moving`.
pub const STARTS_PER_BID: usize = 3;
/// A bid that has no answer by then is told `outcome_pending`.
pub const ANSWER_WITHIN: Span = Span::from_secs(5);

/// Bytes of one frame between two nodes, its length aside. Larger → the stream is ended.
pub const LINK_FRAME_BYTES_MAX: usize = 4_096;
/// Bytes of one text in such a frame: more than the longest nick, message, node's name or address. Longer → cut.
pub const LINK_TEXT_BYTES_MAX: usize = 1_024;
/// Bids that a node has forwarded to one other node and that have no answer. Full → `overloaded`.
pub const LINK_BIDS_IN_FLIGHT_PER_PEER: usize = 8_192;
/// Bids that go into one write, if so many wait.
pub const LINK_BIDS_PER_WRITE: usize = 512;
/// Bytes after which no more answers are put into one write. The rest goes with the next.
pub const LINK_WRITE_BYTES: usize = 64 * 1_024;
/// Pieces of a stream that are read before answers are looked for.
pub const LINK_READS_PER_TURN: usize = 16;
/// Bytes that may be on their way in one stream, or in all streams of a connection, before the receiver says more: a
/// full flight of bids fits, so that a slow reader and not the window is what holds a sender back.
pub const LINK_WINDOW_BYTES: u32 = 4 * 1_024 * 1_024;
/// A stream asks this often whether anyone is there.
pub const LINK_PING: Span = Span::from_millis(250);
/// Pings without a sign of life from the other side before it counts as gone: a frozen or cut node is noticed within 1 s.
pub const LINK_PINGS_UNANSWERED: u32 = 3;
/// The side that answers ends a stream on which nothing came for this long.
pub const LINK_SILENCE: Span = Span::from_secs(3);
/// Pings after which a forwarded bid has no answer any more: later than [`ANSWER_WITHIN`] at the owner.
pub const LINK_PINGS_PER_ANSWER: u32 = 24;
/// Time to connect to another node, both sides' first words included; also of a small request. Longer → unreachable.
pub const LINK_CONNECT: Span = Span::from_secs(1);
/// Pause after a failed connection attempt; doubles up to [`LINK_RECONNECT_MAX`].
pub const LINK_RECONNECT_MIN: Span = Span::from_millis(20);
/// See [`LINK_RECONNECT_MIN`]: bids take the straight way again within this after a node is back.
pub const LINK_RECONNECT_MAX: Span = Span::from_millis(500);
/// Other nodes that a node is linked to. More → they are not reached from here.
pub const LINK_PEERS_MAX: usize = 64;
/// A link that carried nothing for this long, to a node that owns nothing, is let go.
pub const LINK_IDLE: Span = Span::from_secs(60);
/// Bytes of a small request between nodes: holds every shard's number. Larger → 413.
pub const NODE_BODY_BYTES_MAX: usize = 64 * 1_024;
/// Connections that the listener for other nodes takes at a time.
pub const NODE_CONNECTIONS_MAX: usize = 4 * LINK_PEERS_MAX;
/// Notices of created auctions that wait for their way to the owner. Full → dropped: the owner reads deadlines by itself.
pub const CREATED_NOTICES_MAX: usize = 1_024;
/// Notices that go out together.
pub const CREATED_NOTICES_PER_REQUEST: usize = 256;
/// Bids of one auction that wait for it to have a home that can be reached. Full → 503.
pub const STASHED_BIDS_PER_AUCTION: usize = 64;
/// The same over all auctions of a node. Full → 503.
pub const STASHED_BIDS_PER_NODE: usize = 4_096;
/// How long a bid waits there. Longer → 503.
pub const STASHED_WITHIN: Span = Span::from_secs(2);
/// A stashed bid is tried at each change of what is known of homes, and after this pause, which doubles up to
/// [`STASH_RETRY_MAX`].
pub const STASH_RETRY_MIN: Span = Span::from_millis(20);
/// See [`STASH_RETRY_MIN`].
pub const STASH_RETRY_MAX: Span = Span::from_millis(250);

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
/// Pixels along either side of an uploaded picture. More → 422 `invalid`.
pub const IMAGE_SIDE_MAX: u32 = 8_000;
/// Pixels of an uploaded picture: takes what telephones make (24.5 million). More → 422 `invalid`.
pub const IMAGE_PIXELS_MAX: u64 = 25_000_000;
/// Pixels along the longer side of a stored picture; larger ones are scaled down.
pub const IMAGE_STORED_SIDE_MAX: u32 = 1_600;
/// Uploads read or waiting to be decoded: each may hold [`IMAGE_BYTES_MAX`]. Full → 503 `overloaded`.
pub const UPLOADS_AT_ONCE: usize = 32;
/// An upload that has not arrived after this long is given up: → 422 `invalid`.
pub const UPLOAD_WITHIN: Span = Span::from_secs(60);
/// Bytes that decoding one picture may allocate: [`IMAGE_PIXELS_MAX`] of 4 bytes each, and room to work. More → 422 `invalid`.
pub const IMAGE_DECODE_BYTES_MAX: u64 = 128 * 1_024 * 1_024;
/// Uploads decoded at a time: each may hold 230 MB (measured at [`IMAGE_PIXELS_MAX`], scaling included). Full → waits.
pub const IMAGES_DECODED_AT_ONCE: usize = 2;
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
pub const RECEIPTS_AWAITED: Span = Span::from_secs(3);
/// Time between two ticks of the server clock.
pub const TICK: Span = Span::from_secs(1);
/// How long an idle HTTP connection is kept.
pub const KEEP_ALIVE: Span = Span::from_secs(75);
/// How long a client may take to send the head of a request.
pub const REQUEST_HEAD_WITHIN: Span = Span::from_secs(10);
/// The part of a graceful stop in which open connections may finish.
pub const CONNECTIONS_END_WITHIN: Span = Span::from_secs(4);
/// Time that a node which stops gives the others to take its shards.
pub const DRAIN_WITHIN: Span = Span::from_secs(4);
/// Time that a graceful stop may take: with the end of the process after it, within 10 s. What still runs then is cut.
pub const STOP_WITHIN: Span = Span::from_millis(9_500);

/// Nodes of a cluster on one machine (`gavel cluster`): each takes some dozen connections to Postgres, which has 200.
pub const CLUSTER_NODES_MAX: u16 = 8;
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
/// Heads read at once. The rest is read after them.
pub const HEADS_PER_READ: usize = 1_000;

const _: () = assert!(LINK_FRAME_BYTES_MAX > 2 * LINK_TEXT_BYTES_MAX + 512, "two texts and all numbers fit a frame");
const _: () = assert!(LINK_TEXT_BYTES_MAX > 4 * MESSAGE_CHARS_MAX, "every message fits");
const _: () = assert!(LINK_TEXT_BYTES_MAX > 4 * NICK_CHARS_MAX, "every nick fits");
const _: () = assert!(
    LINK_PINGS_PER_ANSWER as i64 * LINK_PING.0 > ANSWER_WITHIN.0,
    "the owner's own word comes before the link gives up"
);
const _: () = assert!(LINK_SILENCE.0 > 4 * LINK_PING.0, "a stream that is alive is not ended as silent");
const _: () = assert!(LINK_RECONNECT_MIN.0 <= LINK_RECONNECT_MAX.0, "pauses grow");
const _: () = assert!(STASH_RETRY_MIN.0 <= STASH_RETRY_MAX.0, "pauses grow");
const _: () = assert!(STASHED_BIDS_PER_AUCTION <= STASHED_BIDS_PER_NODE, "one auction cannot stash more than all");
const _: () = assert!(NODE_BODY_BYTES_MAX > 8 * SHARDS_MAX as usize, "an offer of every shard fits");
const _: () = assert!(BIDS_IN_FLIGHT_PER_AUCTION <= BIDS_IN_FLIGHT_PER_NODE, "one auction cannot hold more than all");
const _: () = assert!(OUTBOX_MAX > BIDS_IN_FLIGHT_PER_NODE, "closing events find a place beside all bids");
const _: () = assert!(
    STOP_WITHIN.0 / 2 + CONNECTIONS_END_WITHIN.0 < STOP_WITHIN.0,
    "bids are answered in the first half and connections end before the stop is over"
);
const _: () = assert!(REPLAY_EVENTS_MAX >= PAGE_ITEMS_MAX, "a replay covers at least a page");
const _: () = assert!(POSTGRES_LOCK.0 < POSTGRES_READ.0, "a takeover hears of a lock before its statement is ended");
const _: () = assert!(REDIS_RECONNECT_MIN.0 <= REDIS_RECONNECT_MAX.0, "pauses grow");
const _: () = assert!(REDIS_PING.0 < REDIS_SILENCE.0, "a healthy bus has been heard when its time is over");
const _: () = assert!(TICK.0 < TICK_OVERDUE.0 && TICK_OVERDUE.0 < TICK_APART_MAX.0, "a tick may be late, not early");
const _: () = assert!(LEASE.0 < NODE_SILENT.0, "a silent owner has stopped answering before its shards are taken");
const _: () = assert!(RENEW_EVERY.0 + OWNERSHIP_CALL.0 <= LEASE.0, "one slow renewal does not end the lease");
const _: () = assert!(RENEW_EVERY.0 < NODE_SUSPECT.0 && NODE_SUSPECT.0 < NODE_SILENT.0, "a beat is awaited first");
const _: () = assert!(LOOK_EVERY.0 < WATCH_BLIND.0, "looks in their turn are not blind");
const _: () = assert!(POSTGRES_LOCK.0 < OWNERSHIP_CALL.0, "a call hears of a lock before it is given up");
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
const _: () = assert!(SHARDS <= SHARDS_MAX, "the default number of shards is allowed");
