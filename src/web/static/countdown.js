// Draws every element with `data-countdown` from the server's clock, right at each change of a digit.

import { clock } from './clock.js';
import { t } from './texts.js';

const MINUTE = 60_000;
let timer = 0;

const two = (number) => String(number).padStart(2, '0');

/** The time left as text: tenths in the last minute. */
export function formatRemaining(millis) {
  const left = Math.max(0, millis);
  const seconds = Math.floor(left / 1000);
  const [days, hours, minutes, second] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  if (days > 0) return t('days', { days, time: `${two(hours)}:${two(minutes)}:${two(second)}` });
  if (hours > 0) return `${hours}:${two(minutes)}:${two(second)}`;
  if (minutes > 0) return `${minutes}:${two(second)}`;
  return `0:${two(second)}.${Math.floor((left % 1000) / 100)}`;
}

function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** Draws one element and says in how many milliseconds it will change. */
function draw(element) {
  if (element.dataset.over) {
    put(element, '');
    return Infinity;
  }
  const now = clock.now();
  const [starts, ends] = [Number(element.dataset.starts), Number(element.dataset.ends)];
  const phase = now < starts ? 'before' : now < ends ? 'open' : 'after';
  const label = element.parentElement.querySelector('[data-clock-label]');
  if (element.dataset.phase !== phase) {
    const first = !element.dataset.phase;
    element.dataset.phase = phase;
    put(label, t({ before: 'starts_in', open: 'ends_in', after: 'ended' }[phase]));
    if (!first) element.dispatchEvent(new CustomEvent('phase', { bubbles: true, detail: phase }));
  }
  if (phase === 'after') {
    put(element, t('closing'));
    return Infinity;
  }
  const left = (phase === 'before' ? starts : ends) - now;
  put(element, formatRemaining(left));
  element.classList.toggle('urgent', phase === 'open' && left < MINUTE);
  // Just past the next change of a digit; in the last minute that is every tenth.
  const step = left < MINUTE + 1000 ? 100 : 1000;
  return (left % step) + 0.5;
}

/** Draws all of them now, and goes on. */
export function drawAll() {
  clearTimeout(timer);
  let next = Infinity;
  for (const element of document.querySelectorAll('[data-countdown]')) next = Math.min(next, draw(element));
  if (next < Infinity) timer = setTimeout(drawAll, next);
}

export function startCountdowns() {
  clock.onMove(drawAll);
  document.addEventListener('visibilitychange', () => document.hidden || drawAll());
  window.addEventListener('pageshow', drawAll);
  drawAll();
}
