-- Parts may have rejections, new bidders, an extension or a closing, and no bids at all.
written AS (
    SELECT ordinality, seq FROM head
    UNION ALL
    SELECT p.ordinality, h.seq
    FROM part p
    JOIN fence f ON f.id = p.shard AND f.epoch = p.epoch
    JOIN heads h ON h.auction_id = p.auction_id
    WHERE p.seq IS NULL
),
bidder AS (
    INSERT INTO bidders (user_id, auction_id)
    SELECT unnest(p.new_bidders), p.auction_id
    FROM part p
    JOIN head USING (ordinality)
    WHERE p.new_bidders IS NOT NULL
    ON CONFLICT DO NOTHING
),
rejection AS (
    INSERT INTO rejection_runs (auction_id, after_seq, at_us, bid_ids, bidder_ids, nicks, amounts, messages, told)
    SELECT p.auction_id, w.seq, p.refused_at_us, p.refused_ids, p.refused_bidder_ids, p.refused_nicks, p.refused_amounts,
           p.refused_messages, p.refused_told
    FROM part p
    JOIN written w USING (ordinality)
    WHERE p.refused_ids IS NOT NULL
),
extension AS (
    INSERT INTO extensions (auction_id, seq, epoch, at_us, ends_us)
    SELECT p.auction_id, p.prev_seq + 1, p.epoch, p.extended_us, p.extended_ends_us
    FROM part p
    JOIN head USING (ordinality)
    WHERE p.extended_us IS NOT NULL
),
-- Both in one: a statement cannot change a row twice.
moved_or_closed AS (
    UPDATE auctions a
    SET first_ends_us = CASE WHEN p.extended_us IS NULL THEN a.first_ends_us ELSE coalesce(a.first_ends_us, a.ends_us) END,
        extended_us = coalesce(p.extended_us, a.extended_us),
        ends_us = coalesce(p.extended_ends_us, a.ends_us),
        closed_us = p.closed_us
    FROM part p
    JOIN head USING (ordinality)
    WHERE a.id = p.auction_id AND (p.closed_us IS NOT NULL OR p.extended_us IS NOT NULL)
    RETURNING p.ordinality, a.seller_id
),
settlement AS (
    INSERT INTO settlements (auction_id, seq, epoch, at_us, seller_id, winner_seq, winner_id, winner_nick,
                             winner_amount, winner_us)
    SELECT p.auction_id, p.seq, p.epoch, p.closed_us, c.seller_id, p.winner_seq, p.winner_id, p.winner_nick,
           p.winner_amount, p.winner_us
    FROM part p
    JOIN moved_or_closed c USING (ordinality)
    WHERE p.closed_us IS NOT NULL
)
