-- The cluster's store. Instants (*_us) are microseconds since the Unix epoch, UTC; amounts are the
-- currency's minor unit. Why things are packed as they are: README.md beside this file.

-- One row, written once, when the cluster is created: how many shards all auctions fall into.
CREATE TABLE cluster (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shards integer NOT NULL CHECK (shards > 0)
);

-- The running processes. A node adds one to rvn as long as it is well; others watch it on their own clocks.
CREATE TABLE nodes (
    id text PRIMARY KEY,
    incarnation bigint NOT NULL,
    rvn bigint NOT NULL,
    address text NOT NULL,
    state text NOT NULL CHECK (state IN ('up', 'draining')),
    renewed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- Who decides for which share of the auctions. A batch is written only under its shard's present epoch.
CREATE TABLE shards (
    id integer PRIMARY KEY,
    owner text,
    owner_incarnation bigint,
    epoch bigint NOT NULL
) WITH (fillfactor = 50);

-- People who bid and sell. email_key is the address in lower case: unique without regard to case.
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL UNIQUE,
    nick text NOT NULL,
    password_hash text NOT NULL,
    created_us bigint NOT NULL
);

-- Sign-ins: the SHA-256 of each token, never the token.
CREATE TABLE tokens (
    hash bytea PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL REFERENCES users (id),
    created_us bigint NOT NULL,
    expires_us bigint NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (user_id, created_us);

-- Pictures by the hash of their content: any node can serve any of them. They are compressed already.
CREATE TABLE images (
    id text PRIMARY KEY,
    media_type text NOT NULL,
    bytes bytea NOT NULL,
    owner_id bigint NOT NULL REFERENCES users (id),
    created_us bigint NOT NULL
);
ALTER TABLE images ALTER bytes SET STORAGE EXTERNAL;

-- What is sold and on which terms. ends_us is the closing instant as it stands; when it was moved, extended_us is the
-- stamp of the newest extension and first_ends_us the closing instant before all of them. closed_us is set once, with
-- the closing event.
CREATE TABLE auctions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL,
    description text NOT NULL,
    image_id text REFERENCES images (id),
    seller_id bigint NOT NULL REFERENCES users (id),
    created_us bigint NOT NULL,
    currency text NOT NULL,
    start_price bigint NOT NULL,
    starts_us bigint NOT NULL,
    ends_us bigint NOT NULL,
    first_ends_us bigint,
    extended_us bigint,
    min_increment bigint NOT NULL,
    leader_may_raise boolean NOT NULL,
    closed_us bigint
);
CREATE INDEX auctions_by_end ON auctions (ends_us, id);
CREATE INDEX auctions_by_seller ON auctions (seller_id, id);
CREATE INDEX auctions_unclosed ON auctions (ends_us, id) WHERE closed_us IS NULL;

-- Where each auction stands after its newest event. Apart from auctions, so that a commit rewrites a short row
-- that no index but its key points at (a heap-only update).
CREATE TABLE heads (
    auction_id bigint PRIMARY KEY REFERENCES auctions (id),
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    last_us bigint NOT NULL,
    bid_count bigint NOT NULL,
    top_seq bigint,
    top_bidder_id bigint,
    top_nick text,
    top_amount bigint,
    top_us bigint
) WITH (fillfactor = 50);

-- Accepted bids, for ever: one row holds a run of neighbouring ones, those of one auction that were committed
-- together. The bid at place n of the arrays has the seq first_seq + n - 1. The view `events` shows them singly.
CREATE TABLE bid_runs (
    auction_id bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    epoch bigint NOT NULL,
    at_us bigint[] NOT NULL,
    bid_ids uuid[] NOT NULL,
    bidder_ids bigint[] NOT NULL,
    nicks text[] NOT NULL,
    amounts bigint[] NOT NULL,
    messages text[] NOT NULL,
    PRIMARY KEY (auction_id, first_seq)
);
-- Out of line when long, uncompressed: a commit must not spend its time on compressing random bytes, and a
-- search through bid_ids reads nothing else.
ALTER TABLE bid_runs
    ALTER at_us SET STORAGE EXTERNAL,
    ALTER bid_ids SET STORAGE EXTERNAL,
    ALTER bidder_ids SET STORAGE EXTERNAL,
    ALTER nicks SET STORAGE EXTERNAL,
    ALTER amounts SET STORAGE EXTERNAL,
    ALTER messages SET STORAGE EXTERNAL;

-- Refused bids, remembered under their bid_id, in runs as well. told is what their bidder was told, as JSON.
-- The first answer to an id counts: a rejection does not when an earlier one (by run, then by place) has the id, or
-- a bid accepted up to after_seq, where the auction stood when the run was written.
CREATE TABLE rejection_runs (
    auction_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    after_seq bigint NOT NULL,
    at_us bigint[] NOT NULL,
    bid_ids uuid[] NOT NULL,
    bidder_ids bigint[] NOT NULL,
    nicks text[] NOT NULL,
    amounts bigint[] NOT NULL,
    messages text[] NOT NULL,
    told text[] NOT NULL,
    PRIMARY KEY (auction_id, id)
);
ALTER TABLE rejection_runs
    ALTER at_us SET STORAGE EXTERNAL,
    ALTER bid_ids SET STORAGE EXTERNAL,
    ALTER bidder_ids SET STORAGE EXTERNAL,
    ALTER nicks SET STORAGE EXTERNAL,
    ALTER amounts SET STORAGE EXTERNAL,
    ALTER messages SET STORAGE EXTERNAL;

-- Events that moved a closing instant: ends_us from then on.
CREATE TABLE extensions (
    auction_id bigint NOT NULL REFERENCES auctions (id),
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    at_us bigint NOT NULL,
    ends_us bigint NOT NULL,
    PRIMARY KEY (auction_id, seq)
);

-- How each auction ended: its closing event and its settlement are one row, so neither is there without the other,
-- and never twice. No winner when nobody bid.
CREATE TABLE settlements (
    auction_id bigint PRIMARY KEY REFERENCES auctions (id),
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    at_us bigint NOT NULL,
    seller_id bigint NOT NULL REFERENCES users (id),
    winner_seq bigint,
    winner_id bigint,
    winner_nick text,
    winner_amount bigint,
    winner_us bigint
);
CREATE INDEX settlements_by_winner ON settlements (winner_id, at_us) WHERE winner_id IS NOT NULL;

-- Who has bid in which auction: finds a user's bids without an index entry for each.
CREATE TABLE bidders (
    user_id bigint NOT NULL,
    auction_id bigint NOT NULL,
    PRIMARY KEY (user_id, auction_id)
);

-- Who watches which auction.
CREATE TABLE watches (
    user_id bigint NOT NULL REFERENCES users (id),
    auction_id bigint NOT NULL REFERENCES auctions (id),
    PRIMARY KEY (user_id, auction_id)
);

-- Pictures that no auction shows yet, for each who uploaded them: they go again when they are too old or too many. A
-- picture is kept as long as someone has it here or an auction shows it.
CREATE TABLE unused_images (
    owner_id bigint NOT NULL REFERENCES users (id),
    image_id text NOT NULL REFERENCES images (id),
    created_us bigint NOT NULL,
    PRIMARY KEY (owner_id, image_id)
);
CREATE INDEX unused_images_by_age ON unused_images (created_us);
CREATE INDEX unused_images_by_image ON unused_images (image_id);
CREATE INDEX auctions_by_image ON auctions (image_id) WHERE image_id IS NOT NULL;

-- One auction's part of a commit, as it is sent. Never altered: a changed one gets the next number.
CREATE TYPE commit_part_v1 AS (
    auction_id bigint,
    shard integer,
    epoch bigint,
    -- The head: compared, then set. seq is null when there are no events.
    prev_seq bigint,
    seq bigint,
    last_us bigint,
    bid_count bigint,
    top_seq bigint,
    top_bidder_id bigint,
    top_nick text,
    top_amount bigint,
    top_us bigint,
    -- Accepted bids; null when there are none. new_bidders may miss nobody and may name someone known.
    bid_at_us bigint[],
    bid_ids uuid[],
    bid_bidder_ids bigint[],
    bid_nicks text[],
    bid_amounts bigint[],
    bid_messages text[],
    new_bidders bigint[],
    -- The extension, which comes before the bids; null when there is none.
    extended_us bigint,
    extended_ends_us bigint,
    -- The closing event; null when there is none.
    closed_us bigint,
    winner_seq bigint,
    winner_id bigint,
    winner_nick text,
    winner_amount bigint,
    winner_us bigint,
    -- Rejections; null when there are none.
    refused_at_us bigint[],
    refused_ids uuid[],
    refused_bidder_ids bigint[],
    refused_nicks text[],
    refused_amounts bigint[],
    refused_messages text[],
    refused_told text[]
);

-- For people and for the auditor's eye: events one by one. The program does not read it.
CREATE VIEW events AS
SELECT r.auction_id, r.first_seq + b.place - 1 AS seq, r.epoch, b.at_us, 'bid' AS kind, b.bid_id, b.bidder_id, b.nick,
       b.amount, b.message, NULL::bigint AS ends_us
FROM bid_runs r
CROSS JOIN LATERAL unnest(r.at_us, r.bid_ids, r.bidder_ids, r.nicks, r.amounts, r.messages)
    WITH ORDINALITY AS b (at_us, bid_id, bidder_id, nick, amount, message, place)
UNION ALL
SELECT auction_id, seq, epoch, at_us, 'extended', NULL, NULL, NULL, NULL, NULL, ends_us
FROM extensions
UNION ALL
SELECT auction_id, seq, epoch, at_us, 'closed', NULL, winner_id, winner_nick, winner_amount, NULL, NULL
FROM settlements;

-- The same for refused bids.
CREATE VIEW rejections AS
SELECT r.auction_id, r.id AS run, b.place, b.at_us, b.bid_id, b.bidder_id, b.nick, b.amount, b.message, b.told
FROM rejection_runs r
CROSS JOIN LATERAL unnest(r.at_us, r.bid_ids, r.bidder_ids, r.nicks, r.amounts, r.messages, r.told)
    WITH ORDINALITY AS b (at_us, bid_id, bidder_id, nick, amount, message, told, place);
