// The server's clock in the browser.
//
// Everything runs on performance.now(), which no change of the computer's clock moves. What is
// estimated is the offset from it to the server's time: best from a ping's answer with the shortest
// round trip, else from ticks, whose only error is the time they were under way.

const SAMPLE_LIFE_MS = 120_000;
const TICKS_KEPT = 30;
const WRONG_BY_MS = 500;

/** Server times come as RFC 3339 text or as milliseconds. */
export function toMillis(time) {
  return typeof time === 'number' ? time : Date.parse(time);
}

class ServerClock {
  constructor() {
    const rendered = Number(document.querySelector('meta[name="gavel-now"]')?.content);
    const [navigation] = performance.getEntriesByType('navigation');
    this.offset = rendered - (navigation?.responseStart ?? performance.now());
    this.samples = [];
    this.ticks = [];
    this.strikes = 0;
    this.listeners = new Set();
  }

  /** The server's time in milliseconds since 1970. */
  now() {
    return performance.now() + this.offset;
  }

  /** `sent` and `heard` are performance.now() around an answer that carried `serverTime`. */
  answer(serverTime, sent, heard) {
    const roundTrip = heard - sent;
    const oldest = heard - SAMPLE_LIFE_MS;
    this.samples = this.samples.filter((sample) => sample.heard > oldest);
    this.samples.push({ heard, roundTrip, offset: toMillis(serverTime) - (sent + heard) / 2 });
    const best = this.samples.reduce((a, b) => (b.roundTrip <= a.roundTrip ? b : a));
    this.set(best.offset);
  }

  /** A tick that has just come: the server's time cannot be earlier than what it says. */
  tick(serverTime) {
    const heard = performance.now();
    const offset = toMillis(serverTime) - heard;
    this.ticks.push(offset);
    if (this.ticks.length > TICKS_KEPT) this.ticks.shift();
    // A machine that slept may have stopped performance.now(): all that was measured before is void.
    this.strikes = Math.abs(offset - this.offset) > WRONG_BY_MS ? this.strikes + 1 : 0;
    if (this.strikes >= 2) {
      this.samples = [];
      this.ticks = [offset];
      this.strikes = 0;
      this.set(offset);
    } else if (this.samples.length === 0) {
      this.set(Math.max(...this.ticks));
    } else if (offset > this.offset + 5) {
      this.set(offset);
    }
  }

  /** Asks over HTTP, for pages without a WebSocket. */
  async ask(times = 3) {
    for (let turn = 0; turn < times; turn += 1) {
      try {
        const sent = performance.now();
        const response = await fetch('/api/v1/time', { cache: 'no-store' });
        const heard = performance.now();
        if (!response.ok) return;
        this.answer((await response.json()).server_time, sent, heard);
      } catch {
        return;
      }
    }
  }

  set(offset) {
    const moved = Math.abs(offset - this.offset) > 50;
    this.offset = offset;
    if (moved) this.listeners.forEach((listener) => listener());
  }

  /** Calls `listener` when the estimate moved enough to be seen. */
  onMove(listener) {
    this.listeners.add(listener);
  }
}

export const clock = new ServerClock();
