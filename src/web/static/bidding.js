// The bid form: what may be bid now, one intended bid at a time, and why one was refused.

import { clock } from './clock.js';
import { formatMoney, MAX_MINOR, parseMajor, toMajor } from './money.js';
import { t } from './texts.js';
import { uuid } from './wire.js';

/** A second press within this time belongs to the first. */
const DOUBLE_MS = 700;
/** A press so soon after the form raised the amount by itself was meant for the old amount. */
const MOVED_MS = 600;
const RETRYABLE = ['overloaded', 'moving', 'outcome_pending'];
const RETRIES = 6;

const form = document.getElementById('bid-form');
const input = document.getElementById('bid');
const message = document.getElementById('msg');
const button = document.getElementById('bid-button');
const hint = document.getElementById('bid-hint');
const answer = document.getElementById('bid-answer');
const quick = document.getElementById('quick');

let room;
let live;
let edited = false;
let movedAt = -Infinity;
let pressedAt = -Infinity;
let inFlight = false;
/** The bid whose outcome is unknown: pressed again with the same content it keeps its id. */
let unresolved = null;

const price = (minor) => formatMoney(minor, room.currency);

function say(text, mood) {
  answer.textContent = text;
  answer.dataset.mood = mood;
}

function fault(text) {
  say(text, 'fault');
  input.setAttribute('aria-invalid', 'true');
}

/** Steps that look natural at this price: the increment, or about two percent in round figures. */
function stepOf(least) {
  const about = Math.max(1, Math.floor(least / 50));
  const magnitude = 10 ** Math.floor(Math.log10(about));
  const round = [1, 2, 5, 10].find((factor) => factor * magnitude >= about) * magnitude;
  return Math.max(room.rules.min_increment, round);
}

function showQuick() {
  const step = stepOf(room.minNext);
  const amounts = [room.minNext, room.minNext + step, room.minNext + 5 * step];
  while (quick.childElementCount < amounts.length) {
    const made = document.createElement('button');
    made.type = 'button';
    made.className = 'chip';
    made.addEventListener('click', () => choose(Number(made.dataset.amount)));
    quick.append(made);
  }
  amounts.forEach((amount, place) => {
    const chip = quick.children[place];
    chip.dataset.amount = amount;
    chip.textContent = price(amount);
    chip.hidden = amount > MAX_MINOR;
  });
  quick.hidden = false;
}

function choose(amount) {
  input.value = toMajor(amount, room.currency);
  edited = true;
  typed();
}

/** After each keystroke: the button says what it will bid. */
function typed() {
  const { minor } = parseMajor(input.value, room.currency);
  const enough = minor !== undefined && minor >= room.minNext;
  button.textContent = t('place_bid', { amount: price(enough ? minor : room.minNext) });
  hint.classList.toggle('short', minor !== undefined && !enough);
  if (enough) input.removeAttribute('aria-invalid');
}

/** Why no bid at all may be placed now: the key of the text, or nothing. */
function barrier() {
  const now = clock.now();
  if (now < room.startsAt) return 'not_started';
  if (room.closed || now >= room.endsAt) return 'closed';
  if (room.minNext > MAX_MINOR) return 'no_higher';
  if (room.top?.bidder.id === room.me && !room.rules.leader_may_raise) return 'already_leading';
  return '';
}

/** Greys the button without taking the keyboard's focus from it, as `disabled` would. */
function showButton() {
  button.disabled = false;
  button.setAttribute('aria-disabled', String(inFlight || barrier() !== ''));
}

/** Brings the form up to what the room says. */
export function showForm() {
  if (!form) return;
  const full = barrier() === 'no_higher';
  form.hidden = Boolean(room.closed) || full;
  if (full) return void say(t('no_higher'), 'neutral');
  input.min = toMajor(room.minNext, room.currency);
  hint.textContent = t('at_least', { amount: price(room.minNext) });
  // What was typed stays, so that the bidder decides how far to go, and so does the amount of a bid that may count
  // still; the form's own proposal moves on.
  if (!edited && !unresolved && input.value !== input.min) {
    input.value = input.min;
    movedAt = performance.now();
  }
  showButton();
  showQuick();
  typed();
}

function check() {
  const { minor, fault: key } = parseMajor(input.value, room.currency);
  if (key) return void fault(t(key));
  if (minor < room.minNext) return void fault(t('too_low', { amount: price(room.minNext) }));
  return minor;
}

async function submit(event) {
  event.preventDefault();
  const now = performance.now();
  if (inFlight || now - pressedAt < DOUBLE_MS) return;
  const key = barrier();
  if (key) return void fault(t(key));
  if (!edited && now - movedAt < MOVED_MS) return void say(t('moved'), 'fault');
  const amount = check();
  if (amount === undefined) return void input.focus();
  pressedAt = now;
  await place(amount, message.value.trim());
}

/** Whether the answer says nothing of what became of the bid: it may still count, or have counted before. */
function leavesOpen({ code, retryable }) {
  return Boolean(retryable) || RETRYABLE.includes(code) || code === 'unknown_outcome' || code === 'unauthenticated';
}

async function place(amount, text) {
  const same = unresolved && unresolved.amount === amount && (unresolved.message ?? '') === text;
  const bid = same ? unresolved : { bid_id: uuid(), amount, ...(text && { message: text }) };
  unresolved = bid;
  inFlight = true;
  showButton();
  say(t('sending'), 'neutral');
  const receipt = await withRetries(bid);
  inFlight = false;
  if (!leavesOpen(receipt)) unresolved = null;
  if (receipt.status === 'accepted') accepted(receipt);
  else refused(receipt);
  showForm();
}

async function withRetries(bid) {
  for (let tried = 0; ; tried += 1) {
    const receipt = await live.placeBid(bid);
    if (!RETRYABLE.includes(receipt.code) || tried >= RETRIES) return receipt;
    say(t('retrying'), 'neutral');
    await new Promise((resolve) => setTimeout(resolve, (0.5 + Math.random()) * 1_000));
  }
}

function accepted(receipt) {
  say(t('accepted', { amount: price(receipt.amount) }), 'good');
  message.value = '';
  edited = false;
  room.hasBid = true;
  room.onReceipt(receipt);
}

function refused(receipt) {
  const known = ['too_low', 'already_leading', 'closed', 'not_started', 'own_auction', 'unauthenticated',
    'rate_limited', 'invalid', 'not_found', 'unknown_outcome'];
  if (receipt.min_next) room.minNext = Math.max(room.minNext, receipt.min_next);
  const key = RETRYABLE.includes(receipt.code) ? 'unknown_outcome' : receipt.code;
  if (known.includes(key)) fault(t(key, { amount: price(room.minNext) }));
  else fault(t('refused'));
  input.focus();
}

export function startBidding(theRoom, theLive) {
  if (!form) return;
  room = theRoom;
  live = theLive;
  form.noValidate = true;
  form.addEventListener('submit', submit);
  input.addEventListener('input', () => {
    edited = input.value !== '';
    typed();
  });
  // A wheel over a focused number field would change the bid unnoticed.
  input.addEventListener('wheel', (event) => event.preventDefault(), { passive: false });
  showForm();
  // The reader has seen no other amount before.
  movedAt = -Infinity;
}
