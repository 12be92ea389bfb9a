// What the tests of the pages share: one browser, signed-in contexts, and auctions of each test's own.
//
// A page that says a word on the console that its test did not expect fails that test.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before } from 'node:test';

import { chromium } from 'playwright-core';

export const BASE_URL = (process.env.BASE_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const PASSWORD = 'demo-demo-demo';

let browser;
let seller;
/** What pages say on the console and nobody expects ends up here. */
const complaints = [];

/** A client of the API for one demo user. */
export async function signInToApi(email) {
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

export async function newAuction(extra = {}) {
  const { status, body } = await seller('POST', '/auctions', {
    title: 'A browser test item', start_price: 10_000, duration_s: 600, ...extra,
  });
  assert.equal(status, 201);
  return body;
}

export async function newContext(user, options = {}) {
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

export async function openRoom(context, id, base = BASE_URL) {
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

/** The console may have said this in the test that is running: browsers complain of some things by themselves. */
export function expected(pattern) {
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !pattern.test(line)));
}

export const bidsOf = async (id) => (await seller('GET', `/auctions/${id}/bids`)).body.items;
export const text = (page, selector) => page.textContent(selector);

export async function bid(page, amount) {
  await page.fill('#bid', String(amount));
  await page.click('#bid-button');
}

export const settled = (page) => page.waitForFunction(
  () => ['good', 'fault'].includes(document.getElementById('bid-answer').dataset.mood));

/** A function that places this user's bids in an auction through the API, and gives the answer. */
export async function bidderOf(email, auction) {
  const call = await signInToApi(email);
  return async (amount, message) => {
    const { body } = await call('POST', `/auctions/${auction.id}/bids`, { bid_id: randomUUID(), amount, message });
    return body;
  };
}

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  seller = await signInToApi('seller@demo.test');
});

afterEach(() => assert.deepEqual(complaints.splice(0), []));

after(() => browser?.close());
