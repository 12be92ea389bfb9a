// The bid form.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BASE_URL, bid, bidderOf, bidsOf, expected, newAuction, newContext, openRoom, settled, text } from './support.mjs';
test('a refused bid says why and what would be enough, next to the form', async () => {
  const auction = await newAuction({ rules: { min_increment: 500 } });
  const ann = await newContext('ann');
  const page = await openRoom(ann, auction.id);
  assert.equal(await page.getAttribute('#bid', 'min'), '10500');
  await bid(page, 10_100);
  assert.match(await text(page, '#bid-answer'), /At least ₩10,500 is needed/);
  assert.equal((await bidsOf(auction.id)).length, 0, 'the page knows the rule and does not even send it');
  // While the bidder types, somebody else bids more.
  const bob = await bidderOf('bob@demo.test', auction);
  await page.fill('#bid', '11000');
  await bob(20_000);
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
  const bob = await bidderOf('bob@demo.test', auction);
  await bob(30_000);
  await bid(page, 15_000);
  await settled(page);
  assert.match(await text(page, '#bid-answer'), /Too low. At least ₩30,001 is needed now/);
  assert.equal(await page.getAttribute('#bid', 'min'), '30001');
  await ann.close();
  // Browsers report each 409 by themselves.
  expected(/409/);
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

/** A page that hears nothing but the answers to its own bids, and those after `delay_ms`. */
async function deafRoom(context, auction, delay_ms) {
  const page = await context.newPage();
  await page.addInitScript(() => { delete window.WebSocket; });
  await page.route('**/events*', (route) => route.fulfill({ status: 200, contentType: 'text/event-stream', body: ': nothing\n\n' }));
  await page.route('**/bids', async (route) => {
    await new Promise((resolve) => { setTimeout(resolve, delay_ms); });
    await route.continue();
  });
  await page.goto(`${BASE_URL}/good/${auction.id}`);
  await page.waitForSelector('#quick:not([hidden])');
  return page;
}

test("a refused proposal of the form's own moves on, and a press meant for the old one is not taken", async () => {
  const auction = await newAuction();
  const context = await newContext('ann');
  const page = await deafRoom(context, auction, 800);
  const bob = await bidderOf('bob@demo.test', auction);
  await bob(30_000);
  await page.click('#bid-button');
  await settled(page);
  await page.click('#bid-button');
  assert.match(await text(page, '#bid-answer'), /The price moved just as you pressed/);
  assert.equal(await page.inputValue('#bid'), '30001');
  assert.match(await text(page, '#bid-button'), /₩30,001/);
  assert.equal((await bidsOf(auction.id)).length, 1);
  await page.waitForTimeout(750);
  await page.click('#bid-button');
  await page.waitForFunction(() => document.getElementById('bid-answer').dataset.mood === 'good');
  assert.match(await text(page, '#bid-answer'), /₩30,001 was accepted/);
  await context.close();
  expected(/409/);
});

test('a bid whose outcome is open keeps its amount and its id', async () => {
  const auction = await newAuction();
  const context = await newContext('ann');
  const page = await openRoom(context, auction.id);
  // The form's own proposal is pressed, and nobody can say what became of it.
  await page.evaluate(() => {
    window.sent = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function sendOrKeep(data) {
      const { type, bid_id, amount } = JSON.parse(data);
      if (type !== 'bid') return send.call(this, data);
      window.sent.push([bid_id, amount]);
      const receipt = { type: 'receipt', bid_id, status: 'rejected', code: 'unknown_outcome' };
      setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(receipt) })), 50);
    };
  });
  for (let press = 1; press <= 2; press += 1) {
    await page.click('#bid-button');
    await page.waitForFunction((times) => window.sent.length === times, press);
    await settled(page);
    await page.waitForTimeout(750);
  }
  const [first, second] = await page.evaluate(() => window.sent);
  assert.equal(first[1], 10_001);
  assert.deepEqual(second, first);
  const bob = await bidderOf('bob@demo.test', auction);
  await bob(10_001);
  await page.waitForFunction(() => document.getElementById('bid').min === '10002');
  assert.equal(await page.inputValue('#bid'), '10001');
  await context.close();
});
