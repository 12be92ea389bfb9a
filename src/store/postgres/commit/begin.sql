WITH part AS MATERIALIZED (
    SELECT * FROM unnest($1::commit_part_v1[]) WITH ORDINALITY
),
-- The fence. A share lock on each shard's row, in the order of their ids, held to the end of the transaction: a
-- takeover waits for this commit, or this commit waits for the takeover, finds another epoch and goes on without the
-- shard. Nothing below touches a part whose shard is not here. (Measured against FOR NO KEY UPDATE and against an
-- UPDATE of the row: the same CPU, and takeovers get through as fast; but the UPDATE leaves a dead row for each commit
-- and takes its locks in no order.)
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
    RETURNING p.ordinality, p.seq
),
bid AS (
    INSERT INTO bid_runs (auction_id, first_seq, last_seq, epoch, at_us, bid_ids, bidder_ids, nicks, amounts, messages)
    SELECT p.auction_id, p.prev_seq + 1 + (p.extended_us IS NOT NULL)::int,
           p.prev_seq + (p.extended_us IS NOT NULL)::int + cardinality(p.bid_ids), p.epoch, p.bid_at_us, p.bid_ids,
           p.bid_bidder_ids, p.bid_nicks, p.bid_amounts, p.bid_messages
    FROM part p
    JOIN head USING (ordinality)
    WHERE p.bid_ids IS NOT NULL
),
