// The live line of one auction room: the WebSocket, and where that is impossible SSE with POST.
//
// A bid stays pending under its bid_id until it has an answer; a new connection sends it again under
// the same id, which the server answers the same, so nothing is ever bid twice.

import { clock } from './clock.js';
import { backoff, connected } from './connection.js';
import { postBid } from './post.js';
import { openStream } from './stream.js';

const SILENT_MS = 4_000;
const PING_EVERY_MS = 10_000;
const RESEND_MS = 5_000;
const OPENINGS_BEFORE_SSE = 2;

export class Live {
  /** `lastSeq()` is what the page has; `onEvent(name, data)` gets everything that comes. */
  constructor({ auctionId, lastSeq, onEvent }) {
    Object.assign(this, { auctionId, lastSeq, onEvent });
    this.pending = new Map();
    this.pings = new Map();
    this.failures = 0;
    this.opened = false;
    this.heard = 0;
    this.socket = null;
    this.sse = null;
    if ('WebSocket' in window) this.open();
    else this.fallBack();
    setInterval(() => this.check(), 1_000);
    setInterval(() => this.ping(), PING_EVERY_MS);
    window.addEventListener('online', () => this.openNow());
    window.addEventListener('pagehide', () => this.socket?.close());
    window.addEventListener('pageshow', (event) => event.persisted && this.openNow());
    document.addEventListener('visibilitychange', () => document.hidden || this.ping());
  }

  /** Places a bid and gives its receipt, however many connections it takes. */
  placeBid(bid) {
    if (this.sse) return postBid(this.auctionId, bid);
    return new Promise((resolve) => {
      this.pending.set(bid.bid_id, { bid, resolve, sent: 0 });
      this.sendPending();
    });
  }

  /** Asks for everything after what the page has. */
  catchUp() {
    this.send({ type: 'subscribe', auction_id: this.auctionId, after_seq: this.lastSeq() });
  }

  open() {
    clearTimeout(this.timer);
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(`${scheme}//${location.host}/api/v1/ws`);
    this.socket = socket;
    this.heard = performance.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.opened = true;
      this.catchUp();
      this.pending.forEach((entry) => (entry.sent = 0));
      this.sendPending();
      [0, 150, 300, 450].forEach((wait) => setTimeout(() => this.ping(), wait));
    };
    socket.onmessage = (message) => socket === this.socket && this.receive(JSON.parse(message.data));
    socket.onclose = () => socket === this.socket && this.closed();
  }

  openNow() {
    if (this.sse || this.socket?.readyState === WebSocket.OPEN) return this.ping();
    this.drop();
    this.open();
  }

  /** Lets go of the socket, whatever state it is in; its late events are ignored. */
  drop() {
    const socket = this.socket;
    this.socket = null;
    this.pings.clear();
    socket?.close();
  }

  closed() {
    this.drop();
    connected(false);
    this.failures += 1;
    if (!this.opened && this.failures >= OPENINGS_BEFORE_SSE) return this.fallBack();
    this.timer = setTimeout(() => this.open(), this.failures === 1 ? Math.random() * 200 : backoff(this.failures));
  }

  receive(frame) {
    this.heard = performance.now();
    this.failures = 0;
    connected(true);
    if (frame.type === 'pong') {
      const sent = this.pings.get(frame.t);
      this.pings.delete(frame.t);
      if (sent !== undefined) clock.answer(frame.server_time, sent, this.heard);
    } else if (frame.type === 'receipt') {
      this.answered(frame);
    } else {
      if (frame.type === 'tick') clock.tick(frame.server_time);
      if (frame.type === 'error' && frame.bid_id) this.answered({ status: 'rejected', ...frame });
      this.onEvent(frame.type, frame);
    }
  }

  answered(receipt) {
    const entry = this.pending.get(receipt.bid_id);
    this.pending.delete(receipt.bid_id);
    entry?.resolve(receipt);
  }

  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  sendPending() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const now = performance.now();
    for (const entry of this.pending.values()) {
      if (entry.sent && now - entry.sent < RESEND_MS) continue;
      entry.sent = now;
      this.send({ type: 'bid', auction_id: this.auctionId, ...entry.bid });
    }
  }

  ping() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const sent = performance.now();
    const name = Math.round(sent);
    this.pings.set(name, sent);
    if (this.pings.size > 20) this.pings.delete(this.pings.keys().next().value);
    this.send({ type: 'ping', t: name });
  }

  /** Ticks come every second: silence means that the line is dead, even if nobody said so. */
  check() {
    if (this.sse || !this.socket) return;
    if (performance.now() - this.heard > SILENT_MS) this.closed();
    else this.sendPending();
  }

  fallBack() {
    clock.ask();
    setInterval(() => clock.ask(1), 30_000);
    const url = () => `/api/v1/auctions/${this.auctionId}/events?after_seq=${this.lastSeq()}`;
    this.sse = openStream(url, (name, data) => {
      if (name === 'tick') clock.tick(data.server_time);
      this.onEvent(name, data);
    });
    for (const { bid, resolve } of this.pending.values()) postBid(this.auctionId, bid).then(resolve);
    this.pending.clear();
  }
}
