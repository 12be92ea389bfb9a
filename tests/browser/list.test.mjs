// The list of auctions.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BASE_URL, bidderOf, newAuction, newContext, text } from './support.mjs';
test('the list shows new prices live', async () => {
  const auction = await newAuction({ duration_s: 60 });
  const context = await newContext(null);
  const page = await context.newPage();
  await page.goto(`${BASE_URL}/`);
  const card = `[data-auction-id="${auction.id}"]`;
  await page.waitForSelector(card);
  await page.waitForTimeout(500);
  const ann = await bidderOf('ann@demo.test', auction);
  await ann(44_000);
  await page.waitForFunction((selector) => /₩44,000/.test(document.querySelector(selector).textContent), card);
  assert.match(await text(page, card), /1 bid/);
  await context.close();
});
