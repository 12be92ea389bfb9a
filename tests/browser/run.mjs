// The pages in a real browser, as two bidders use them.
//
// Needs a running server with demo data at BASE_URL whose rate limits are off, and Debian's chromium.
// Each test makes its own auctions through the API, so that none depends on what another left behind.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import net from 'node:net';

import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const BASE_URL = (process.env.BASE_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const PASSWORD = 'demo-demo-demo';
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };

let browser;
let seller;
/** Contexts and pages that complain end up here. */
const complaints = [];

/** A client of the API for one demo user. */
async function signInToApi(email) {
  const response = await fetch(`${BASE_URL}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: PASSWORD }),
  });
  assert.equal(response.status, 201, 'the demo users must be there');
  const { token } = await response.json();
  return async (method, path, body) => {
    const answer = await fetch(`${BASE_URL}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: answer.status === 204 ? null : await answer.json() };
  };
}

async function newAuction(extra = {}) {
  const { status, body } = await seller('POST', '/auctions', {
    title: 'A browser test item', start_price: 10_000, duration_s: 600, ...extra,
  });
  assert.equal(status, 201);
  return body;
}

async function newContext(user, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  context.on('page', (page) => {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`));
  });
  if (user) await signIn(context, user);
  return context;
}

async function signIn(context, user) {
  const page = await context.newPage();
  await page.goto(`${BASE_URL}/`);
  await page.fill('#sign-in-email', `${user}@demo.test`);
  await page.fill('#sign-in-password', PASSWORD);
  await page.click('#sign-in button');
  await page.waitForSelector('.who .nick');
  await page.close();
}

async function openRoom(context, id, base = BASE_URL) {
  const page = await context.newPage();
  await page.goto(`${base}/good/${id}`);
  // The line is up once the clock has been asked over it, which the first frames do.
  await page.waitForFunction(async () => {
    const script = document.querySelector('script[src*="room.js"]').src;
    const { clock } = await import(script.replace('room.js', 'clock.js'));
    return clock.samples.length > 0;
  });
  return page;
}

const bidsOf = async (id) => (await seller('GET', `/auctions/${id}/bids`)).body.items;
const text = (page, selector) => page.textContent(selector);

async function bid(page, amount) {
  await page.fill('#bid', String(amount));
  await page.click('#bid-button');
}

const settled = (page) => page.waitForFunction(
  () => ['good', 'fault'].includes(document.getElementById('bid-answer').dataset.mood));

/** A picture that a camera could have made: 320 × 240, PNG. */
function picture() {
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const crcTable = (value) => { for (let k = 0; k < 8; k += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1; return value; };
    let crc = 0xffffffff;
    for (const byte of body) crc = crcTable((crc ^ byte) & 0xff) ^ (crc >>> 8);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
    return Buffer.concat([length, body, sum]);
  };
  const [width, height] = [320, 240];
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) rows.set([x % 256, y, 120], y * (1 + width * 3) + 1 + x * 3);
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** A way to the server that can be cut: it drops every connection and takes no new one until it is mended. */
async function cuttableWay() {
  const target = new URL(BASE_URL);
  const open = new Set();
  let cut = false;
  const server = net.createServer((client) => {
    if (cut) return client.destroy();
    const upstream = net.connect(Number(target.port || 80), target.hostname);
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => { open.delete(from); to.destroy(); });
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, target.hostname, resolve));
  return {
    url: `http://${target.hostname}:${server.address().port}`,
    cut() { cut = true; open.forEach((socket) => socket.destroy()); },
    mend() { cut = false; },
    close() { this.cut(); server.close(); },
  };
}

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  seller = await signInToApi('seller@demo.test');
});

after(() => browser?.close());

test('a bid in one browser is on the other screen within 100 ms', async (t) => {
  const auction = await newAuction();
  const [annContext, bobContext] = [await newContext('ann'), await newContext('bob')];
  const pages = [await openRoom(annContext, auction.id), await openRoom(bobContext, auction.id)];
  for (const page of pages) {
    await page.evaluate(() => {
      window.shownAt = {};
      new MutationObserver(() => { window.shownAt[document.getElementById('price').textContent] ??= Date.now(); })
        .observe(document.getElementById('price'), { childList: true, characterData: true, subtree: true });
    });
  }
  const delays = [];
  for (let turn = 0; turn < 10; turn += 1) {
    const [from, to] = turn % 2 === 0 ? pages : [...pages].reverse();
    const amount = 11_000 + turn * 500;
    await from.fill('#bid', String(amount));
    const pressed = await from.evaluate(() => {
      const now = Date.now();
      document.getElementById('bid-form').requestSubmit();
      return now;
    });
    const shown = `₩${amount.toLocaleString('en-US')}`;
    await to.waitForFunction((price) => window.shownAt[price], shown);
    delays.push((await to.evaluate((price) => window.shownAt[price], shown)) - pressed);
    await settled(from);
    await from.waitForTimeout(750);
  }
  delays.sort((a, b) => a - b);
  const median = (delays[4] + delays[5]) / 2;
  t.diagnostic(`press to the other screen: median ${median} ms, all ${delays.join(' ')}`);
  assert.ok(median < 100, `median ${median} ms`);
  assert.equal((await bidsOf(auction.id)).length, 10);
  assert.match(await text(pages[0], '#standing'), /outbid: bob leads/);
  assert.match(await text(pages[1], '#standing'), /You have the top bid/);
  await annContext.close();
  await bobContext.close();
});

test('a refused bid says why and what would be enough, next to the form', async () => {
  const auction = await newAuction({ rules: { min_increment: 500 } });
  const ann = await newContext('ann');
  const page = await openRoom(ann, auction.id);
  assert.equal(await page.getAttribute('#bid', 'min'), '10500');
  await bid(page, 10_100);
  assert.match(await text(page, '#bid-answer'), /At least ₩10,500 is needed/);
  assert.equal((await bidsOf(auction.id)).length, 0, 'the page knows the rule and does not even send it');
  // While the bidder types, somebody else bids more.
  const bob = await signInToApi('bob@demo.test');
  await page.fill('#bid', '11000');
  await bob('POST', `/auctions/${auction.id}/bids`, { bid_id: crypto.randomUUID(), amount: 20_000 });
  await page.waitForFunction(() => document.getElementById('bid').min === '20500');
  assert.equal(await page.inputValue('#bid'), '11000', 'what was typed stays');
  await page.waitForTimeout(750);
  await page.click('#bid-button');
  assert.match(await text(page, '#bid-answer'), /At least ₩20,500 is needed/);
  await bid(page, 20_500);
  await settled(page);
  assert.match(await text(page, '#bid-answer'), /₩20,500 was accepted/);
  await ann.close();
});

test("the server's refusal is shown with what would be enough, and the form learns from it", async () => {
  const auction = await newAuction();
  const ann = await newContext('ann');
  // A page that hears nothing: no WebSocket, and its stream is cut off; it can only ask by POST.
  const page = await ann.newPage();
  await page.addInitScript(() => { delete window.WebSocket; });
  await page.route('**/events*', (route) => route.fulfill({ status: 200, contentType: 'text/event-stream', body: ': nothing\n\n' }));
  await page.goto(`${BASE_URL}/good/${auction.id}`);
  const bob = await signInToApi('bob@demo.test');
  await bob('POST', `/auctions/${auction.id}/bids`, { bid_id: crypto.randomUUID(), amount: 30_000 });
  await bid(page, 15_000);
  await settled(page);
  assert.match(await text(page, '#bid-answer'), /Too low. At least ₩30,001 is needed now/);
  assert.equal(await page.getAttribute('#bid', 'min'), '30001');
  await ann.close();
  // Browsers report each 409 by themselves.
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !/409/.test(line)));
});

test('a double click is one bid', async () => {
  const auction = await newAuction();
  const ann = await newContext('ann');
  // As in a page that came over plain HTTP from another machine.
  await ann.addInitScript(() => Object.defineProperty(crypto, 'randomUUID', { value: undefined }));
  const page = await openRoom(ann, auction.id);
  await page.fill('#bid', '12000');
  await page.dblclick('#bid-button');
  await settled(page);
  await page.waitForTimeout(400);
  assert.equal((await bidsOf(auction.id)).length, 1);
  assert.match(await text(page, '#bid-answer'), /accepted/, 'and no error follows it');
  await ann.close();
});

test('without a WebSocket the room lives on SSE and POST', async () => {
  const auction = await newAuction();
  const [ann, bob] = [await newContext('ann'), await newContext('bob')];
  const page = await ann.newPage();
  await page.addInitScript(() => { delete window.WebSocket; });
  await page.goto(`${BASE_URL}/good/${auction.id}`);
  await bid(page, 12_000);
  await settled(page);
  assert.match(await text(page, '#bid-answer'), /accepted/);
  const other = await openRoom(bob, auction.id);
  await bid(other, 13_000);
  await page.waitForFunction(() => document.getElementById('price').textContent === '₩13,000');
  assert.match(await text(page, '#standing'), /outbid/);
  assert.equal(await page.locator('#bids li').count(), 2);
  await ann.close();
  await bob.close();
});

test('the countdown agrees with the server to a tenth of a second, with a local clock an hour off', async (t) => {
  const auction = await newAuction({ duration_s: 50 });
  const context = await newContext(null);
  await context.addInitScript(() => {
    const RealDate = Date;
    let shift = 3_600_000;
    window.shiftClock = (millis) => { shift = millis; };
    window.Date = class extends RealDate {
      constructor(...given) { given.length === 0 ? super(RealDate.now() + shift) : super(...given); }
      static now() { return RealDate.now() + shift; }
    };
  });
  const page = await openRoom(context, auction.id);
  await page.waitForTimeout(800);
  const ends = Date.parse(auction.ends_at);
  const errors = [];
  for (let turn = 0; turn < 8; turn += 1) {
    if (turn === 4) await page.evaluate(() => window.shiftClock(-7_200_000));
    const { drawn, server } = await page.evaluate(async () => {
      const read = () => document.getElementById('countdown').textContent;
      let best = null;
      for (let tries = 0; tries < 4; tries += 1) {
        const sent = performance.now();
        const response = await fetch('/api/v1/time', { cache: 'no-store' });
        const { server_time: time } = await response.json();
        const heard = performance.now();
        if (!best || heard - sent < best.trip) best = { trip: heard - sent, offset: RealTime(time) - (sent + heard) / 2 };
      }
      function RealTime(iso) { return Date.parse(iso); }
      // Right after a change the drawn tenth has just begun.
      const before = read();
      while (read() === before) await new Promise((resolve) => setTimeout(resolve, 2));
      return { drawn: read(), server: performance.now() + best.offset };
    });
    const seconds = /^0:(\d\d\.\d)$/.exec(drawn)?.[1];
    assert.ok(seconds, `the last minute shows tenths: ${drawn}`);
    errors.push((Number(seconds) + 0.1) * 1_000 - (ends - server));
  }
  t.diagnostic(`drawn minus true: ${errors.map((error) => Math.round(error)).join(' ')} ms`);
  for (const error of errors) assert.ok(Math.abs(error) <= 100, `${error} ms`);
  await context.close();
});

test('a cut connection is told after a second, comes back and misses nothing', async () => {
  const auction = await newAuction();
  const way = await cuttableWay();
  const ann = await newContext('ann');
  const page = await openRoom(ann, auction.id, way.url);
  const bob = await signInToApi('bob@demo.test');
  const place = (amount, message) =>
    bob('POST', `/auctions/${auction.id}/bids`, { bid_id: crypto.randomUUID(), amount, message });
  await place(11_000);
  await page.waitForFunction(() => document.getElementById('price').textContent === '₩11,000');

  way.cut();
  await page.waitForSelector('#connection:not([hidden])');
  assert.equal(await text(page, '#connection'), 'Reconnecting…');
  await bid(page, 15_000);
  const carl = await signInToApi('ann@demo.test');
  await carl('POST', `/auctions/${auction.id}/bids`, { bid_id: crypto.randomUUID(), amount: 12_000 });
  await place(13_000, 'while you were away');
  way.mend();

  await page.waitForSelector('#connection', { state: 'hidden', timeout: 20_000 });
  await settled(page);
  assert.match(await text(page, '#bid-answer'), /₩15,000 was accepted/, 'the bid that waited went out');
  await page.waitForFunction(() => document.querySelectorAll('#bids li').length === 4);
  const shown = await page.locator('#bids .bid-amount').allTextContents();
  assert.deepEqual(shown, ['₩11,000', '₩12,000', '₩13,000', '₩15,000']);
  assert.equal((await bidsOf(auction.id)).length, 4);
  await ann.close();
  way.close();
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !/ERR_|WebSocket connection/.test(line)));
});

test('a short cut is not worth a word', async () => {
  const auction = await newAuction();
  const way = await cuttableWay();
  const context = await newContext(null);
  const page = await openRoom(context, auction.id, way.url);
  await page.evaluate(() => {
    window.said = 0;
    new MutationObserver(() => { window.said += document.getElementById('connection').hidden ? 0 : 1; })
      .observe(document.getElementById('connection'), { attributes: true });
  });
  way.cut();
  way.mend();
  await page.waitForTimeout(1_600);
  assert.equal(await page.evaluate(() => window.said), 0);
  await context.close();
  way.close();
});

test('everyone in the room is told how it ended', async () => {
  const [ann, bob] = [await newContext('ann'), await newContext('bob')];
  const auction = await newAuction({ duration_s: 12 });
  const unsold = await newAuction({ duration_s: 12 });
  const [winner, loser, empty] = [await openRoom(ann, auction.id), await openRoom(bob, auction.id), await openRoom(bob, unsold.id)];
  await bid(loser, 11_000);
  await settled(loser);
  await bid(winner, 12_000);
  await settled(winner);
  await winner.waitForSelector('#standing[data-mood="won"]');
  assert.match(await text(winner, '#standing'), /You won this item for ₩12,000/);
  await loser.waitForSelector('#standing[data-mood="lost"]');
  assert.match(await text(loser, '#standing'), /Sold to ann for ₩12,000/);
  await empty.waitForFunction(() => /not sold/.test(document.getElementById('standing').textContent));
  assert.ok(await winner.isHidden('#bid-form'));
  await winner.goto(`${BASE_URL}/list`);
  assert.match(await text(winner, 'main'), /A browser test item/);
  await ann.close();
  await bob.close();
});

test('the list shows new prices live', async () => {
  const auction = await newAuction({ duration_s: 60 });
  const context = await newContext(null);
  const page = await context.newPage();
  await page.goto(`${BASE_URL}/`);
  const card = `[data-auction-id="${auction.id}"]`;
  await page.waitForSelector(card);
  await page.waitForTimeout(500);
  const ann = await signInToApi('ann@demo.test');
  await ann('POST', `/auctions/${auction.id}/bids`, { bid_id: crypto.randomUUID(), amount: 44_000 });
  await page.waitForFunction((selector) => /₩44,000/.test(document.querySelector(selector).textContent), card);
  assert.match(await text(page, card), /1 bid/);
  await context.close();
});

test('amounts read the same in the browser and on the server', async () => {
  const context = await newContext('ann');
  for (const [currency, lang, shown] of [['KRW', 'ko', '₩12,345'], ['USD', 'ko', 'US$123.45'], ['USD', 'en', '$123.45'], ['JPY', 'en', '¥12,345'], ['CHF', 'en', 'CHF\u00a0123.45'], ['AUD', 'ko', 'AU$123.45']]) {
    const auction = await newAuction({ currency, start_price: 12_345 });
    const page = await context.newPage();
    await page.goto(`${BASE_URL}/good/${auction.id}?lang=${lang}`);
    assert.equal(await text(page, '.facts dd'), shown, 'as the server wrote it');
    assert.equal(await text(page, '#price'), shown, 'as the script wrote it');
    await page.close();
  }
  await context.close();
});

test('a new item is put up with its picture', async () => {
  const context = await newContext('seller');
  const page = await context.newPage();
  await page.goto(`${BASE_URL}/good`);
  await page.fill('#name', 'Browser item <b>not bold</b>');
  await page.fill('#price', '1,250.50');
  await page.selectOption('#currency', 'USD');
  await page.selectOption('#duration', '3600');
  await page.setInputFiles('#img', { name: 'x.png', mimeType: 'image/png', buffer: picture() });
  assert.ok(await page.isVisible('#preview img'), 'the picture is shown before it travels');
  await page.click('#sell-form button[type="submit"]');
  await page.waitForURL(/\/good\/\d+$/);
  assert.equal(await text(page, 'h1'), 'Browser item <b>not bold</b>');
  assert.equal(await text(page, '.facts dd'), '$1,250.50');
  assert.ok(await page.evaluate(() => document.querySelector('.room-picture img').naturalWidth > 0));
  await context.close();
});

test('a refused item comes back with the end that was chosen', async () => {
  const context = await newContext('seller');
  const page = await context.newPage();
  await page.goto(`${BASE_URL}/good`);
  await page.fill('#name', 'A lamp');
  await page.fill('#price', '1');
  await page.selectOption('#currency', 'USD');
  await page.selectOption('#duration', 'custom');
  await page.fill('#ends-local', '2020-05-06T07:08');
  await page.setInputFiles('#img', { name: 'x.png', mimeType: 'image/png', buffer: picture() });
  await page.click('#sell-form button[type="submit"]');
  await page.waitForSelector('.note');
  assert.equal(await page.inputValue('#name'), 'A lamp');
  assert.equal(await page.inputValue('#duration'), 'custom');
  assert.equal(await page.inputValue('#ends-local'), '2020-05-06T07:08');
  assert.ok(await page.isVisible('#custom-end'));
  // The browser itself complains of the status 422 of the page.
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !/422/.test(line)));
  await context.close();
});

test('all of it works without scripts', async () => {
  const auction = await newAuction({ currency: 'USD', start_price: 1_000 });
  const context = await newContext(null, { javaScriptEnabled: false });
  const page = await context.newPage();
  const email = `plain-${Date.now()}@demo.test`;
  await page.goto(`${BASE_URL}/join`);
  await page.fill('#join-email', email);
  await page.fill('#join-nick', 'plain');
  await page.fill('#join-password', 'long enough');
  await page.click('form[action="/auth/join"] button');
  await page.waitForURL(`${BASE_URL}/`);
  assert.equal(await text(page, '.nick'), 'plain');
  await page.goto(`${BASE_URL}/good/${auction.id}`);
  await page.fill('#bid', '12.50');
  await page.fill('#msg', 'without a script');
  await page.click('#bid-button');
  assert.match(await text(page, '#bids'), /plain\s*\$12\.50/);
  assert.match(await text(page, '#standing'), /You have the top bid/);
  await page.goto(`${BASE_URL}/good/${auction.id}?auctionError=${encodeURIComponent('이전 입찰가보다 높아야 합니다')}`);
  assert.match(await text(page, '.note'), /above the top bid/);
  await page.click('form[action="/auth/logout"] button');
  await page.waitForSelector('#sign-in');
  await page.fill('#sign-in-email', email);
  await page.fill('#sign-in-password', 'wrong password');
  await page.click('#sign-in button');
  assert.match(await text(page, '.note'), /not right/);
  await context.close();
});

test('a message in the address is text, never markup', async () => {
  const context = await newContext(null);
  const page = await context.newPage();
  await page.goto(`${BASE_URL}/?error=${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
  assert.equal(await text(page, '.note'), '<img src=x onerror=alert(1)>');
  assert.equal(await page.locator('.note img').count(), 0);
  await context.close();
});

test('no page scrolls sideways on the smallest phone, and none breaks an accessibility rule', async () => {
  const auction = await newAuction({ title: `A ${'verylongword'.repeat(8)} title`, description: 'line\n'.repeat(5) });
  const ann = await signInToApi('ann@demo.test');
  await ann('POST', `/auctions/${auction.id}/bids`, { bid_id: crypto.randomUUID(), amount: 999_999_999_999, message: 'x'.repeat(100) });
  const paths = ['/', '/join', '/good', '/list', `/good/${auction.id}`, '/nothing-here'];
  for (const [user, options] of [[null, PHONE], ['bob', { ...PHONE, locale: 'ko-KR' }], ['bob', { colorScheme: 'dark' }]]) {
    const context = await newContext(user, options);
    for (const path of paths) {
      const page = await context.newPage();
      await page.goto(BASE_URL + path);
      await page.waitForTimeout(400);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${path} is ${over} px too wide`);
      const { violations } = await new AxeBuilder({ page }).analyze();
      const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
      assert.deepEqual(grave.map(({ id, nodes }) => `${path} ${id}: ${nodes.map((node) => node.html).join(' ')}`), []);
      await page.close();
    }
    await context.close();
  }
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !line.includes('/nothing-here')));
});

test('no page said a word on the console', () => {
  assert.deepEqual(complaints, []);
});
