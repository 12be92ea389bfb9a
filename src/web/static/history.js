// The bids of a room in rising order: new ones at the end, earlier ones on demand.

import { formatMoney } from './money.js';
import { localTimes, timeText } from './page.js';
import { t } from './texts.js';

const ROWS_MAX = 400;
const PAGE = 100;

const list = document.getElementById('bids');
const scroll = document.getElementById('history-scroll');
const earlier = document.getElementById('earlier');
const empty = document.getElementById('no-bids');

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function rowOf(bid, room) {
  const row = element('li', bid.bidder.id === room.me ? 'bid mine' : 'bid', '');
  row.dataset.seq = bid.seq;
  const time = element('time', '', timeText(bid.at));
  time.dateTime = bid.at;
  row.append(
    element('span', 'bid-nick', bid.bidder.nick),
    element('strong', 'bid-amount', formatMoney(bid.amount, room.currency)),
    time,
  );
  if (bid.message) row.append(element('q', 'bid-message', bid.message));
  return row;
}

const seqOf = (row) => Number(row.dataset.seq);

/** An emptied list goes on above this seq. */
let floor = 0;

function firstSeq() {
  return list.firstElementChild ? seqOf(list.firstElementChild) : floor + 1;
}

/** Puts bids where they belong by their seqs, most often at the end; one that is there already stays as it is. */
function insert(bids, room, className) {
  for (const bid of bids) {
    let before = list.lastElementChild;
    while (before && seqOf(before) > bid.seq) before = before.previousElementSibling;
    if (before && seqOf(before) === bid.seq) continue;
    const row = rowOf(bid, room);
    if (className) row.classList.add(className);
    if (before) before.after(row);
    else list.prepend(row);
  }
}

function showEarlier() {
  const before = firstSeq() - 1;
  earlier.hidden = before < 1;
  earlier.href = `${location.pathname}?upto=${before}`;
}

const waiting = [];
let drawing = false;

/** Adds bids, in any order, at most once a frame; the view stays at the end if it was there. */
export function append(bids, room) {
  waiting.push(...bids.filter((bid) => bid.seq > floor));
  waiting.sort((a, b) => a.seq - b.seq);
  if (waiting.length > ROWS_MAX) waiting.splice(0, waiting.length - ROWS_MAX);
  if (drawing) return;
  drawing = true;
  // Also drawn in a background tab, where frames do not come.
  const soon = document.hidden ? (draw) => setTimeout(draw, 0) : requestAnimationFrame;
  soon(() => {
    drawing = false;
    const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    insert(waiting.splice(0), room, 'fresh');
    while (atEnd && list.childElementCount > ROWS_MAX) list.firstElementChild.remove();
    empty.hidden = list.childElementCount > 0 || floor > 0;
    showEarlier();
    if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  });
}

/** Starts over with nothing; what comes from now on is above `after`. */
export function clear(after) {
  floor = after;
  waiting.length = 0;
  list.replaceChildren();
  showEarlier();
}

/** Up to `limit` bids above `after`. */
export async function fetchBids(auctionId, after, limit = PAGE) {
  const response = await fetch(`/api/v1/auctions/${auctionId}/bids?after_seq=${after}&limit=${limit}`);
  if (!response.ok) throw new Error(`bids: ${response.status}`);
  return (await response.json()).items;
}

export function startHistory(room) {
  localTimes(list);
  scroll.scrollTop = scroll.scrollHeight;
  earlier.addEventListener('click', async (event) => {
    event.preventDefault();
    const before = firstSeq();
    try {
      const bids = await fetchBids(room.id, Math.max(0, before - 1 - PAGE));
      const height = scroll.scrollHeight;
      insert(bids.filter((bid) => bid.seq < before).reverse(), room);
      scroll.scrollTop += scroll.scrollHeight - height;
      showEarlier();
    } catch {
      earlier.textContent = t('earlier_failed');
    }
  });
}
