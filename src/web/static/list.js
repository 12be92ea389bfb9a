// Live prices on a page with many auctions, through one stream.

import './page.js';
import { clock } from './clock.js';
import { drawAll, startCountdowns } from './countdown.js';
import { formatMoney } from './money.js';
import { openStream } from './stream.js';
import { t } from './texts.js';
import { heads, settled, viewOf } from './wire.js';

const followed = document.getElementById('live-list').dataset.follow;

const cardsOf = (id) => document.querySelectorAll(`[data-auction-id="${CSS.escape(String(id))}"]`);

function put(card, selector, text) {
  const element = card.querySelector(selector);
  if (element && element.textContent !== text) element.textContent = text;
}

function bidsText(count) {
  return count === 0 ? t('bids_none') : count === 1 ? t('bids_one') : t('bids_many', { count });
}

function showTop(card, { seq, amount, count }) {
  card.dataset.seq = seq;
  card.dataset.bids = count;
  put(card, '[data-price-label]', t('top_bid'));
  put(card, '[data-price]', formatMoney(amount, card.dataset.currency));
  put(card, '[data-bid-count]', bidsText(count));
  card.classList.remove('flash');
  // Reading a size makes the browser notice that the class was away, so that the animation starts anew.
  void card.offsetWidth;
  card.classList.add('flash');
}

function onBid(bid) {
  for (const card of cardsOf(bid.auction_id)) {
    if (bid.seq <= Number(card.dataset.seq)) continue;
    showTop(card, { seq: bid.seq, amount: bid.amount, count: Number(card.dataset.bids) + 1 });
    moveEnd(card, bid.ends_at);
  }
}

function moveEnd(card, endsAt) {
  const countdown = card.querySelector('[data-countdown]');
  const ends = Date.parse(endsAt);
  if (!countdown || !ends || Number(countdown.dataset.ends) === ends) return;
  countdown.dataset.ends = ends;
  drawAll();
}

function onExtended(event) {
  for (const card of cardsOf(event.auction_id)) {
    if (event.seq <= Number(card.dataset.seq)) continue;
    card.dataset.seq = event.seq;
    moveEnd(card, event.ends_at);
  }
}

function onClosed(event) {
  for (const card of cardsOf(event.auction_id)) {
    card.dataset.state = 'closed';
    card.dataset.seq = event.seq;
    const countdown = card.querySelector('[data-countdown]');
    countdown.dataset.over = '1';
    const { winner, amount } = event;
    put(card, '[data-clock-label]', t('ended'));
    put(card, '[data-price-label]', t(winner ? 'final_price' : 'start_price'));
    const sold = winner && t('sold_to', { nick: winner.nick, amount: formatMoney(amount, card.dataset.currency) });
    put(card, '[data-bid-count]', sold || t('unsold'));
  }
  drawAll();
}

function onSnapshot(view) {
  for (const card of cardsOf(view.id)) {
    if (view.seq <= Number(card.dataset.seq)) continue;
    if (view.top) showTop(card, { seq: view.seq, amount: view.top.amount, count: view.bid_count });
    moveEnd(card, view.ends_at);
    if (settled(view)) {
      onClosed({ auction_id: view.id, seq: view.seq, winner: view.winner, amount: view.top?.amount });
    }
  }
}

/** A head above ours means that something was missed: look once, and only when the next tick still says so. */
const behind = new Map();
async function onHeads(all) {
  for (const [id, head] of all) {
    const card = cardsOf(id)[0];
    if (!card || head <= Number(card.dataset.seq)) {
      behind.delete(id);
    } else if (behind.get(id) === card.dataset.seq) {
      behind.delete(id);
      const response = await fetch(`/api/v1/auctions/${id}`).catch(() => null);
      if (response?.ok) onSnapshot(await response.json());
    } else {
      behind.set(id, card.dataset.seq);
    }
  }
}

startCountdowns();
if (followed) {
  clock.ask();
  openStream(
    () => `/api/v1/events?auctions=${followed}`,
    (name, data) => {
      if (name === 'bid') onBid(data);
      else if (name === 'closed') onClosed(data);
      else if (name === 'snapshot') onSnapshot(viewOf(data));
      else if (name === 'extended') onExtended(data);
      else if (name === 'tick') {
        clock.tick(data.server_time);
        onHeads(heads(data));
      }
    },
  );
}
