WITH part AS MATERIALIZED (
    SELECT * FROM unnest($1::commit_part_v1[]) WITH ORDINALITY
),
-- The fence. A share lock on each shard's row, in the order of their ids, held to the end of the
-- transaction: a takeover waits for this batch, or this batch waits for the takeover, finds another epoch
-- and goes on without the shard.
fence AS MATERIALIZED (
    SELECT s.id, s.epoch
    FROM shards s
    JOIN (SELECT DISTINCT shard, epoch FROM part) p ON s.id = p.shard AND s.epoch = p.epoch
    ORDER BY s.id
    FOR SHARE OF s
),
head AS (
    UPDATE heads h
    SET seq = p.seq, epoch = p.epoch, last_us = p.last_us, bid_count = p.bid_count, top_seq = p.top_seq,
        top_bidder_id = p.top_bidder_id, top_nick = p.top_nick, top_amount = p.top_amount, top_us = p.top_us
    FROM part p
    JOIN fence f ON f.id = p.shard AND f.epoch = p.epoch
    WHERE h.auction_id = p.auction_id AND h.seq = p.prev_seq AND p.seq IS NOT NULL
    RETURNING p.ordinality
),
written AS (
    SELECT ordinality FROM head
    UNION ALL
    SELECT p.ordinality
    FROM part p
    JOIN fence f ON f.id = p.shard AND f.epoch = p.epoch
    JOIN heads h ON h.auction_id = p.auction_id
    WHERE p.seq IS NULL
),
bid AS (
    INSERT INTO bid_runs
    SELECT p.auction_id, p.prev_seq + 1, p.prev_seq + cardinality(p.bid_ids), p.epoch, p.bid_at_us, p.bid_ids,
           p.bid_bidder_ids, p.bid_nicks, p.bid_amounts, p.bid_messages
    FROM part p
    JOIN head USING (ordinality)
    WHERE p.bid_ids IS NOT NULL
),
bidder AS (
    INSERT INTO bidders
    SELECT unnest(p.new_bidders), p.auction_id
    FROM part p
    JOIN head USING (ordinality)
    WHERE p.new_bidders IS NOT NULL
    ON CONFLICT DO NOTHING
),
rejection AS (
    INSERT INTO rejection_runs (auction_id, at_us, bid_ids, bidder_ids, nicks, amounts, messages, told)
    SELECT p.auction_id, p.refused_at_us, p.refused_ids, p.refused_bidder_ids, p.refused_nicks, p.refused_amounts,
           p.refused_messages, p.refused_told
    FROM part p
    JOIN written USING (ordinality)
    WHERE p.refused_ids IS NOT NULL
),
closing AS (
    UPDATE auctions a
    SET closed_us = p.closed_us
    FROM part p
    JOIN head USING (ordinality)
    WHERE a.id = p.auction_id AND p.closed_us IS NOT NULL
    RETURNING p.ordinality, a.seller_id
),
settlement AS (
    INSERT INTO settlements
    SELECT p.auction_id, p.seq, p.epoch, p.closed_us, c.seller_id, p.winner_seq, p.winner_id, p.winner_nick,
           p.winner_amount, p.winner_us
    FROM part p
    JOIN closing c USING (ordinality)
)
SELECT p.ordinality,
       w.ordinality IS NOT NULL AS written,
       f.id IS NOT NULL AS held,
       CASE WHEN w.ordinality IS NULL
            THEN (SELECT h.seq FROM heads h WHERE h.auction_id = p.auction_id) END AS stored_seq
FROM part p
LEFT JOIN written w USING (ordinality)
LEFT JOIN fence f ON f.id = p.shard AND f.epoch = p.epoch
