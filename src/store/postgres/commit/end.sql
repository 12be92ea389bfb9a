SELECT p.ordinality,
       w.ordinality IS NOT NULL AS written,
       f.id IS NOT NULL AS held,
       CASE WHEN w.ordinality IS NULL
            THEN (SELECT h.seq FROM heads h WHERE h.auction_id = p.auction_id) END AS stored_seq
FROM part p
LEFT JOIN written w USING (ordinality)
LEFT JOIN fence f ON f.id = p.shard AND f.epoch = p.epoch
