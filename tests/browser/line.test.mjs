// The live line: what happens when it breaks, or was never there.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BASE_URL, bid, bidderOf, bidsOf, expected, newAuction, newContext, openRoom, settled, text } from './support.mjs';
import { cuttableWay } from './way.mjs';
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

test('a cut connection is told after a second, comes back and misses nothing', async () => {
  const auction = await newAuction();
  const way = await cuttableWay();
  const context = await newContext('ann');
  const page = await openRoom(context, auction.id, way.url);
  const [ann, bob] = [await bidderOf('ann@demo.test', auction), await bidderOf('bob@demo.test', auction)];
  await bob(11_000);
  await page.waitForFunction(() => document.getElementById('price').textContent === '₩11,000');

  way.cut();
  await page.waitForSelector('#connection:not([hidden])');
  assert.equal(await text(page, '#connection'), 'Reconnecting…');
  await bid(page, 15_000);
  await ann(12_000);
  await bob(13_000, 'while you were away');
  way.mend();

  await page.waitForSelector('#connection', { state: 'hidden', timeout: 20_000 });
  await settled(page);
  assert.match(await text(page, '#bid-answer'), /₩15,000 was accepted/, 'the bid that waited went out');
  await page.waitForFunction(() => document.querySelectorAll('#bids li').length === 4);
  const shown = await page.locator('#bids .bid-amount').allTextContents();
  assert.deepEqual(shown, ['₩11,000', '₩12,000', '₩13,000', '₩15,000']);
  assert.equal((await bidsOf(auction.id)).length, 4);
  await context.close();
  way.close();
  expected(/ERR_|WebSocket connection/);
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

test('the history stays in order when bids come while earlier ones are read', async () => {
  const auction = await newAuction();
  const context = await newContext(null);
  // A line that can lose bids, and whose ticks do not tell.
  await context.addInitScript(() => {
    window.WebSocket = class extends WebSocket {
      set onmessage(take) {
        super.onmessage = ({ data }) => {
          const frame = JSON.parse(data);
          if (frame.type === 'tick') frame.heads = {};
          if (window.isDeaf && frame.type === 'bid') window.lost += 1;
          else take({ data: JSON.stringify(frame) });
        };
      }
    };
  });
  const page = await openRoom(context, auction.id);
  let readOn;
  const held = new Promise((resolve) => { readOn = resolve; });
  const asked = new Promise((resolve) => {
    page.route('**/bids?*', async (route) => {
      resolve();
      await held;
      await route.continue();
    });
  });
  const [ann, bob] = [await bidderOf('ann@demo.test', auction), await bidderOf('bob@demo.test', auction)];
  await page.evaluate(() => Object.assign(window, { isDeaf: true, lost: 0 }));
  await ann(11_000);
  await bob(12_000);
  await page.waitForFunction(() => window.lost === 2);
  await page.evaluate(() => { window.isDeaf = false; });
  await ann(13_000);
  await asked;
  await bob(14_000);
  await page.waitForFunction(() => /14,000/.test(document.getElementById('bids').textContent));
  assert.equal(await page.locator('#bids li').count(), 1);
  readOn();
  await page.waitForFunction(() => document.querySelectorAll('#bids li').length === 4);
  const shown = await page.locator('#bids .bid-amount').allTextContents();
  assert.deepEqual(shown, ['₩11,000', '₩12,000', '₩13,000', '₩14,000']);
  await context.close();
});

test('a history that starts over shows each bid once and leads to what came before', async () => {
  const auction = await newAuction();
  const context = await newContext(null);
  const page = await openRoom(context, auction.id);
  const { shown, earlier, isEmpty } = await page.evaluate(async () => {
    const { append, clear } = await import(document.querySelector('script[src*="room.js"]').src.replace('room.js', 'history.js'));
    const drawn = () => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); });
    const bids = (...seqs) => seqs.map((seq) => ({ seq, amount: seq, at: new Date().toISOString(), bidder: { id: '1', nick: 'x' } }));
    append(bids(1, 2, 3), { currency: 'KRW' });
    await drawn();
    clear(300);
    const link = document.getElementById('earlier');
    const earlier = [link.hidden, link.search];
    await drawn();
    const isEmpty = !document.getElementById('no-bids').hidden;
    append(bids(303, 305), { currency: 'KRW' });
    // Read for the list as it was before.
    append(bids(4, 5), { currency: 'KRW' });
    await drawn();
    append(bids(301, 302, 303, 304, 305), { currency: 'KRW' });
    await drawn();
    return { shown: [...document.querySelectorAll('#bids li')].map((row) => Number(row.dataset.seq)), earlier, isEmpty };
  });
  assert.deepEqual(earlier, [false, '?upto=300']);
  assert.ok(!isEmpty, 'there are bids, only not here yet');
  assert.deepEqual(shown, [301, 302, 303, 304, 305]);
  await context.close();
});
