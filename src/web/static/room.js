// The auction room: folds what the live line says into one state and shows it.

import { append, clear, fetchBids, startHistory } from './history.js';
import { clock } from './clock.js';
import { drawAll, startCountdowns } from './countdown.js';
import { formatMoney } from './money.js';
import { Live } from './live.js';
import { localTimes } from './page.js';
import { showForm, startBidding } from './bidding.js';
import { standingOf } from './standing.js';
import { startWatch } from './watch.js';
import { t } from './texts.js';
import { heads, settled, viewOf } from './wire.js';

/** A gap of more bids than this is not filled but started over from the newest ones. */
const GAP_MAX = 300;
const ANNOUNCE_MS = 2_500;

const root = document.getElementById('room');
const byId = (id) => document.getElementById(id);
const countdown = byId('countdown');
const view = JSON.parse(root.dataset.auction);

const room = {
  id: view.id,
  me: root.dataset.me,
  hasBid: root.dataset.hasBid === 'true',
  currency: view.currency,
  rules: view.rules,
  startPrice: view.start_price,
  startsAt: Date.parse(view.starts_at),
  onReceipt,
};
let seq = 0;
let count = 0;

function take(newView) {
  room.top = newView.top;
  room.minNext = newView.min_next;
  moveEnd(Date.parse(newView.ends_at));
  seq = newView.seq;
  count = newView.bid_count;
  if (settled(newView)) {
    room.closed = { winner: newView.winner, amount: newView.top?.amount };
  }
}

/** An end that moves later has an outage as its reason. */
function moveEnd(endsAt) {
  if (endsAt > room.endsAt) byId('extended').hidden = false;
  room.endsAt = endsAt;
  byId('ends-at').dateTime = new Date(endsAt).toISOString();
  localTimes(byId('ends-at').parentElement);
}

function put(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function show() {
  const label = !room.top ? 'start_price' : room.closed ? 'final_price' : 'top_bid';
  put('price-label', t(label));
  put('price', formatMoney(room.top?.amount ?? room.startPrice, room.currency));
  put('bid-count', count === 0 ? t('bids_none') : count === 1 ? t('bids_one') : t('bids_many', { count }));
  const { mood, text } = standingOf(room, clock.now());
  put('standing', text);
  byId('standing').dataset.mood = mood;
  if (room.closed) put('ends-label', t('ended'));
  if (byId('opens')) byId('opens').hidden = clock.now() >= room.startsAt;
  if (Number(countdown.dataset.ends) !== room.endsAt) {
    countdown.dataset.ends = room.endsAt;
    drawAll();
  }
  if (room.closed && !countdown.dataset.over) {
    countdown.dataset.over = '1';
    byId('extended').hidden = true;
    countdown.parentElement.querySelector('[data-clock-label]').textContent = t('ended');
    drawAll();
  }
  showForm();
}

function flash() {
  const price = byId('price');
  price.classList.remove('flash');
  void price.offsetWidth;
  price.classList.add('flash');
}

let announceTimer = 0;
let announcedAt = -Infinity;
/** Tells screen readers the newest bid, but not each of a rush. */
function announce() {
  if (announceTimer) return;
  const wait = Math.max(200, ANNOUNCE_MS - (performance.now() - announcedAt));
  announceTimer = setTimeout(() => {
    announceTimer = 0;
    announcedAt = performance.now();
    const { top } = room;
    if (!top) return;
    const nick = top.bidder.id === room.me ? t('you') : top.bidder.nick;
    put('announcer', t('announce', { nick, amount: formatMoney(top.amount, room.currency) }));
  }, wait);
}

function onBid(bid) {
  if (bid.seq <= seq) return;
  if (bid.seq > seq + 1) return fill();
  seq = bid.seq;
  count += 1;
  room.top = { seq: bid.seq, amount: bid.amount, bidder: bid.bidder, at: bid.at };
  room.minNext = bid.min_next;
  if (bid.bidder.id === room.me) room.hasBid = true;
  if (!showingOldPage) append([bid], room);
  show();
  flash();
  announce();
}

/** Our own bid is told twice, by its receipt and by its event; whichever is first raises the form's least. */
function onReceipt(receipt) {
  if (receipt.seq > seq) room.minNext = Math.max(room.minNext, receipt.min_next);
}

function onExtended(event) {
  if (event.seq <= seq) return;
  if (event.seq > seq + 1) return fill();
  seq = event.seq;
  moveEnd(Date.parse(event.ends_at));
  show();
  put('announcer', byId('extended').textContent);
}

function onClosed(event) {
  if (event.seq <= seq && room.closed) return;
  if (event.seq > seq + 1) return fill();
  seq = Math.max(seq, event.seq);
  room.closed = { winner: event.winner, amount: event.amount };
  show();
  put('announcer', byId('standing').textContent);
}

let filling = false;
/** Reads from the server what was missed. */
async function fill() {
  if (filling) return;
  filling = true;
  try {
    const response = await fetch(`/api/v1/auctions/${room.id}`);
    if (response.ok) await onSnapshot(await response.json());
  } finally {
    filling = false;
  }
}

/** Takes a newer state whole, and the bids between it and ours. */
async function onSnapshot(newView) {
  if (newView.seq <= seq) return;
  const missed = seq;
  take(newView);
  show();
  flash();
  announce();
  if (showingOldPage) return;
  const far = newView.seq - missed > GAP_MAX;
  const after = far ? newView.seq - 100 : missed;
  if (far) clear(after);
  const bids = await fetchBids(room.id, after, GAP_MAX).catch(() => []);
  append(bids.filter((bid) => bid.seq <= newView.seq), room);
}

let behindAt = -1;
function onTick(tick) {
  const head = heads(tick).find(([id]) => id === room.id)?.[1] ?? 0;
  // One tick may overtake the event that it speaks of; two mean that it is lost.
  if (head > seq && behindAt === seq) live.catchUp();
  behindAt = head > seq ? seq : -1;
}

const handlers = {
  bid: onBid,
  extended: onExtended,
  closed: onClosed,
  snapshot: (frame) => viewOf(frame).id === room.id && onSnapshot(viewOf(frame)),
  tick: onTick,
};

take(view);
const showingOldPage = root.dataset.hasNewer === 'true';
startHistory(room);
const live = new Live({
  auctionId: room.id,
  lastSeq: () => seq,
  onEvent: (name, data) => handlers[name]?.(data),
});
startBidding(room, live);
startCountdowns();
countdown.addEventListener('phase', show);
clock.onMove(show);
show();
startWatch(room.id);
