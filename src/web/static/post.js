// Places a bid over HTTP: the same bid_id again after a lost answer, for half a minute.

import { backoff } from './connection.js';

const GIVE_UP_MS = 30_000;

/** The receipt of `bid`; `code: 'unknown_outcome'` when no answer came in time. */
export async function postBid(auctionId, bid) {
  const until = performance.now() + GIVE_UP_MS;
  for (let failures = 0; performance.now() < until; failures += 1) {
    try {
      const response = await fetch(`/api/v1/auctions/${auctionId}/bids`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(bid),
        credentials: 'same-origin',
      });
      const body = await response.json();
      return response.ok ? body : { ...body, status: 'rejected', bid_id: bid.bid_id };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
    }
  }
  return { status: 'rejected', code: 'unknown_outcome', bid_id: bid.bid_id };
}
