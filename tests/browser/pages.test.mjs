// What holds for every page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AxeBuilder } from '@axe-core/playwright';

import { BASE_URL, bidderOf, expected, newAuction, newContext, text } from './support.mjs';
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };

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
  const ann = await bidderOf('ann@demo.test', auction);
  await ann(999_999_999_999, 'x'.repeat(100));
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
  expected(/nothing-here/);
});
