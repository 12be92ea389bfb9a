-- Every part is accepted bids only.
written AS (
    SELECT ordinality FROM head
)
