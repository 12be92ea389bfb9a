// The auction room: what it shows to those in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BASE_URL, bid, bidsOf, newAuction, newContext, openRoom, settled, text } from './support.mjs';
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
