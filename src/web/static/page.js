// What every page does: times in the reader's own time zone, and a button that is pressed once.

import { lang } from './texts.js';

const full = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
const timeOnly = new Intl.DateTimeFormat(lang, { timeStyle: 'medium' });

/** Shows `<time data-local>` elements under `root` in the reader's time zone. */
export function localTimes(root = document) {
  for (const element of root.querySelectorAll('time[data-local]')) {
    const format = element.dataset.local === 'time' ? timeOnly : full;
    element.textContent = format.format(new Date(element.dateTime));
    element.title = full.format(new Date(element.dateTime));
  }
}

/** `18:04:55` of an RFC 3339 time. */
export function timeText(at) {
  return timeOnly.format(new Date(at));
}

localTimes();
for (const form of document.querySelectorAll('form[method="post"]:not(#bid-form)')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
  });
}
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});
