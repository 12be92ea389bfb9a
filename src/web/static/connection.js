// Says "reconnecting…" when the live connection has been away for a second; a short gap is not worth a word.

import { t } from './texts.js';

const QUIET_MS = 1_000;
const bar = document.getElementById('connection');
let timer = 0;

export function connected(isConnected) {
  clearTimeout(timer);
  if (isConnected) {
    bar.hidden = true;
    bar.textContent = '';
    return;
  }
  timer = setTimeout(() => {
    bar.textContent = t('reconnecting');
    bar.hidden = false;
  }, QUIET_MS);
}

/** A wait that doubles with each failure up to ten seconds, with half of it left to chance. */
export function backoff(failures) {
  const most = Math.min(10_000, 250 * 2 ** failures);
  return most / 2 + (Math.random() * most) / 2;
}
