// An EventSource that comes back: the browser's own retries stop for good after an answer like 503.

import { backoff, connected } from './connection.js';

const SILENT_MS = 5_000;
const EVENTS = ['hello', 'snapshot', 'bid', 'extended', 'closed', 'tick'];

/** Opens `url()` and hands each event to `onEvent(name, data)`. */
export function openStream(url, onEvent) {
  let source = null;
  let failures = 0;
  let heard = 0;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    source?.close();
    heard = performance.now();
    source = new EventSource(url());
    source.onopen = () => connected(true);
    source.onerror = (event) => {
      // The server's own `error` events come with data; the browser's, about the connection, without.
      if (event.data) return void onEvent('error', JSON.parse(event.data));
      connected(false);
      if (source.readyState === EventSource.CLOSED) again();
    };
    // The server ends the stream and says why: it stops, or the sign-in is over. Watching goes on elsewhere or unknown.
    source.addEventListener('end', () => {
      source.close();
      connected(false);
      again();
    });
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        heard = performance.now();
        failures = 0;
        connected(true);
        onEvent(name, JSON.parse(event.data));
      });
    }
  }

  function again() {
    clearTimeout(timer);
    timer = setTimeout(open, backoff(failures));
    failures += 1;
  }

  const watch = setInterval(() => {
    if (performance.now() - heard > SILENT_MS && source.readyState !== EventSource.CLOSED) {
      connected(false);
      open();
    }
  }, 1_000);
  window.addEventListener('pagehide', () => source?.close());
  window.addEventListener('pageshow', (event) => event.persisted && open());
  window.addEventListener('online', open);
  open();
  return { close: () => (clearInterval(watch), clearTimeout(timer), source.close()) };
}
