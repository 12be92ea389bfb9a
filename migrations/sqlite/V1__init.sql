-- The embedded store. Instants (*_us) are microseconds since the Unix epoch, UTC; amounts are the
-- currency's minor unit; a bid_id is the 16 bytes of a UUID.
--
-- A shelf is a run of neighbouring rows of one auction: 256 events (seq >> 8), 64 rejections
-- (ordinal >> 6). Clients make random bid_ids. Ordered by them alone, each bid would dirty a page of its own;
-- ordered by shelf first, a batch dirties only the few pages of the newest shelf, and a lookup probes the
-- shelves one by one. So one tree finds a bid by its bid_id, refuses it twice in a shelf, and gives events in
-- the order of their seqs once each shelf is sorted.

-- Who writes: every take-over adds one to the epoch, and a batch of an older epoch is refused. probes counts what was
-- written only to see whether it can be: an unchanged row is not written at all. One row.
CREATE TABLE ownership (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch INTEGER NOT NULL,
    probes INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO ownership (only_row, epoch) VALUES (1, 0);

-- People who bid and sell. email_key is the address in lower case: unique without regard to case.
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    nick TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;

-- Sign-ins: the SHA-256 of each token, never the token.
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id, created_us);

-- Pictures by the hash of their content.
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    bytes BLOB NOT NULL,
    owner_id INTEGER NOT NULL REFERENCES users (id),
    created_us INTEGER NOT NULL
) STRICT;

-- What is sold and on which terms. ends_us is the closing instant as it stands; when it was moved, extended_us is the
-- stamp of the newest extension and first_ends_us the closing instant before all of them. closed_us and sold are set
-- once, with the closing event.
CREATE TABLE auctions (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    image_id TEXT REFERENCES images (id),
    seller_id INTEGER NOT NULL REFERENCES users (id),
    created_us INTEGER NOT NULL,
    currency TEXT NOT NULL,
    start_price INTEGER NOT NULL,
    starts_us INTEGER NOT NULL,
    ends_us INTEGER NOT NULL,
    first_ends_us INTEGER,
    extended_us INTEGER,
    min_increment INTEGER NOT NULL,
    leader_may_raise INTEGER NOT NULL CHECK (leader_may_raise IN (0, 1)),
    closed_us INTEGER,
    sold INTEGER NOT NULL DEFAULT 0 CHECK (sold IN (0, 1))
) STRICT;
CREATE INDEX auctions_by_end ON auctions (ends_us, id);
CREATE INDEX auctions_by_seller ON auctions (seller_id, id);
CREATE INDEX auctions_unclosed ON auctions (ends_us, id, starts_us) WHERE closed_us IS NULL;
CREATE INDEX auctions_closed ON auctions (ends_us, id) WHERE closed_us IS NOT NULL;

-- Where each auction stands after its newest event. Apart from auctions, so that a commit rewrites
-- a short row. rejections counts those stored; it gives the next one its shelf.
CREATE TABLE heads (
    auction_id INTEGER PRIMARY KEY REFERENCES auctions (id),
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    bid_count INTEGER NOT NULL,
    rejections INTEGER NOT NULL,
    top_seq INTEGER,
    top_bidder_id INTEGER,
    top_nick TEXT,
    top_amount INTEGER,
    top_us INTEGER
) STRICT;

-- What happened, for ever. kind is 'bid', 'extended' or 'closed'; event_key is a bid's bid_id, or the 8 bytes of another
-- event's seq, which no bid_id is; ends_us is an extension's; of a closing, bidder_id, nick, amount,
-- winner_seq and winner_us are those of the winning bid, if there is one.
CREATE TABLE events (
    auction_id INTEGER NOT NULL,
    shelf INTEGER NOT NULL CHECK (shelf = seq >> 8),
    event_key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    bidder_id INTEGER,
    nick TEXT,
    amount INTEGER,
    message TEXT,
    winner_seq INTEGER,
    winner_us INTEGER,
    ends_us INTEGER,
    PRIMARY KEY (auction_id, shelf, event_key)
) STRICT, WITHOUT ROWID;

-- Refused bids, remembered under their bid_id with all that their bidder was told. instant_us is the
-- opening or closing instant in the answer; min_next and the top_ columns are the other facts in it.
CREATE TABLE rejections (
    auction_id INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    bid_id BLOB NOT NULL,
    bidder_id INTEGER NOT NULL,
    nick TEXT NOT NULL,
    amount INTEGER NOT NULL,
    message TEXT,
    at_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    instant_us INTEGER,
    min_next INTEGER,
    top_seq INTEGER,
    top_bidder_id INTEGER,
    top_nick TEXT,
    top_amount INTEGER,
    top_us INTEGER,
    PRIMARY KEY (auction_id, shelf, bid_id)
) STRICT, WITHOUT ROWID;

-- On which shelves of events a user has bids: finds a user's bids without an index entry for each.
CREATE TABLE user_shelves (
    user_id INTEGER NOT NULL,
    auction_id INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    PRIMARY KEY (user_id, auction_id, shelf)
) STRICT, WITHOUT ROWID;

-- How each auction was settled: written once, with its closing event. No winner when nobody bid.
CREATE TABLE settlements (
    auction_id INTEGER PRIMARY KEY REFERENCES auctions (id),
    seller_id INTEGER NOT NULL REFERENCES users (id),
    winner_id INTEGER,
    amount INTEGER,
    at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX settlements_by_winner ON settlements (winner_id, at_us) WHERE winner_id IS NOT NULL;

-- Who watches which auction.
CREATE TABLE watches (
    user_id INTEGER NOT NULL REFERENCES users (id),
    auction_id INTEGER NOT NULL REFERENCES auctions (id),
    PRIMARY KEY (user_id, auction_id)
) STRICT, WITHOUT ROWID;

-- Pictures that no auction shows yet, for each who uploaded them: they go again when they are too old or too many. A
-- picture is kept as long as someone has it here or an auction shows it.
CREATE TABLE unused_images (
    owner_id INTEGER NOT NULL REFERENCES users (id),
    image_id TEXT NOT NULL REFERENCES images (id),
    created_us INTEGER NOT NULL,
    PRIMARY KEY (owner_id, image_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX unused_images_by_age ON unused_images (created_us);
CREATE INDEX unused_images_by_image ON unused_images (image_id);
CREATE INDEX auctions_by_image ON auctions (image_id) WHERE image_id IS NOT NULL;
