//! Bounds of what passes between nodes: ownership, the link, the bus.

#[allow(clippy::wildcard_imports, reason = "one list of bounds in two files")]
use super::*;

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
/// A node that has not renewed for this long and owns nothing is struck off the list when another one joins.
pub const NODE_FORGOTTEN: Span = Span::from_secs(86_400);
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
/// A node whose clock differs from the store's by more gives its shards to nodes whose clocks do not. When all differ,
/// all go on.
pub const CLOCK_OFF_MAX: Span = Span::from_millis(250);
/// How long it sees another whose clock is well before it does so: if the store's clock jumped, that one says within a
/// renewal or two that its own is off too.
pub const CLOCK_OFF_CERTAIN: Span = Span::from_secs(2);
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
/// Time that a node which stops gives the bids of other nodes that are under way here.
pub const NODE_CLOSE_WITHIN: Span = Span::from_secs(1);
/// Time that a node which stops gives the others to take its shards.
pub const DRAIN_WITHIN: Span = Span::from_secs(4);
/// Nodes of a cluster on one machine (`gavel cluster`): each takes some dozen connections to Postgres, which has 200.
pub const CLUSTER_NODES_MAX: u16 = 8;
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
const _: () = assert!(REDIS_RECONNECT_MIN.0 <= REDIS_RECONNECT_MAX.0, "pauses grow");
const _: () = assert!(REDIS_PING.0 < REDIS_SILENCE.0, "a healthy bus has been heard when its time is over");
const _: () = assert!(TICK.0 < TICK_OVERDUE.0 && TICK_OVERDUE.0 < TICK_APART_MAX.0, "a tick may be late, not early");
const _: () = assert!(LEASE.0 < NODE_SILENT.0, "a silent owner has stopped answering before its shards are taken");
const _: () = assert!(RENEW_EVERY.0 + OWNERSHIP_CALL.0 <= LEASE.0, "one slow renewal does not end the lease");
const _: () = assert!(RENEW_EVERY.0 < NODE_SUSPECT.0 && NODE_SUSPECT.0 < NODE_SILENT.0, "a beat is awaited first");
const _: () = assert!(
    RENEW_EVERY.0 + LOOK_EVERY.0 < CLOCK_OFF_CERTAIN.0,
    "a jump of the store's clock is seen, told and looked at by all first"
);
const _: () = assert!(LOOK_EVERY.0 < WATCH_BLIND.0, "looks in their turn are not blind");
const _: () = assert!(POSTGRES_LOCK.0 < OWNERSHIP_CALL.0, "a call hears of a lock before it is given up");
const _: () = assert!(SHARDS <= SHARDS_MAX, "the default number of shards is allowed");
