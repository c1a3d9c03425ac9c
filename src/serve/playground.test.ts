import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launchChromium, NEEDS_CHROMIUM, seriousFaults } from './testing/browser.js';
import { startTestServer, until, type TestServer } from './testing/test-server.js';

const PAGE = fileURLToPath(new URL('../../web/dist', import.meta.url));

// A browser is no dependency of the package, so a machine without one skips this.
describe.skipIf(!hasChromium)(`playground ${NEEDS_CHROMIUM}`, () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  const requests: string[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    server = await startTestServer({
      script: {
        tokenMs: 10,
        slotCount: 4,
        answer: () => ' Layers learn: 深度学习 😀 done.',
        isEndless: (prompt) => /the sea|old trains/.test(prompt), // the crowd's
      },
      options: { playgroundDirectory: PAGE },
    });
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(server.httpUrl);
    await page.waitForSelector('.health.ready');
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test('a chat by keyboard alone', async () => {
    await page.getByLabel('Prompt').focus();
    await page.keyboard.type('What is deep learning ?');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.note');
    expect(await page.locator('article.assistant .text').textContent()).toBe(
      ' Layers learn: 深度学习 😀 done.',
    );
    expect(await page.locator('.note').textContent()).toMatch(
      /^ended: stop; first token after \d+ ms, then \d+ tokens\/s$/,
    );
  });

  test('token probabilities, with whole characters', async () => {
    await page.getByText('Sampling').click();
    await page.getByLabel('Show token probabilities').check();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByLabel('Prompt').fill('again');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.note');
    const tokens = await page.locator('.token').allTextContents();
    expect(tokens.join('')).toBe(' Layers learn: 深度学习 😀 done.');
    expect(tokens).toContain('😀');
    await page.locator('.token').nth(1).click();
    expect(await page.locator('.alternatives tr').count()).toBe(5);
    const isInView = `(() => {
        const box = (selector) => document.querySelector(selector).getBoundingClientRect();
        return box('.alternatives').bottom <= box('.log').bottom + 1;
      })()`;
    expect(await page.evaluate(isInView)).toBe(true);
  });

  test('the schema of the answer is sent as it stands', async () => {
    const field = page.getByLabel('JSON schema of the answer');
    await field.fill('{"type": "object"}');
    await page.getByLabel('Prompt').fill('A person');
    const sent = page.waitForRequest(/completions$/);
    await page.keyboard.press('Enter');
    expect((await sent).postDataJSON()).toMatchObject({ json_schema: '{"type": "object"}' });
    await page.locator('.note').nth(1).waitFor();
    await field.fill('');
  });

  test('a crowd fills slots and queue, and can be stopped', async () => {
    await page.getByRole('button', { name: 'Send 18 requests' }).click();
    await page.waitForSelector('.queue li');
    expect(await page.locator('.lane:not(.free)').count()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Stop the crowd' }).click();
    await until(() => server.model.runningCount === 0 && server.model.waitingCount === 0);
  });

  test('nothing overflows on a phone, nothing comes from elsewhere, nothing fails', async () => {
    const widths = await page.evaluate(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    );
    expect(widths).toEqual([390, 390]);
    expect(requests.filter((url) => !url.startsWith(server.httpUrl) && !url.startsWith('data:'))).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('axe finds no serious fault', async () => {
    expect(await seriousFaults(page)).toEqual([]);
  });
});
