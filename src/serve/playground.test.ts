import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launchChromium, LOOKS, NEEDS_CHROMIUM, seriousFaults } from './testing/browser.js';
import { startTestServer, until, type TestServer } from './testing/test-server.js';

const PAGE = fileURLToPath(new URL('../../web/dist', import.meta.url));

/** A name for this machine that browsers do not trust, as they do localhost. */
const HOST = 'gpu-box';

const MARKDOWN = [
  '# Title',
  '**bold** [link](https://example.org) [bad](javascript:alert(1))',
  '- one\n- two',
  '```js\nconst a = 1;\n```',
  `|${'wide|'.repeat(12)}\n|${'-|'.repeat(12)}\n|${'cells of a table|'.repeat(12)}`,
  '<img src=x onerror="alert(1)"><script>alert(1)</script><iframe src="/"></iframe><form><input></form>',
  '<b onclick="alert(1)" style="position:fixed">b</b>',
].join('\n\n');

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
        rankCount: 2,
        answer: (prompt) => (/as Markdown/.test(prompt) ? MARKDOWN : ' Layers learn: 深度学习 😀 done.'),
        isEndless: (prompt) => /the sea|old trains|without end/.test(prompt), // the crowd's, and one of ours
      },
      options: { playgroundDirectory: PAGE, allowedHosts: [HOST] },
    });
    browser = await launchChromium([`--host-resolver-rules=MAP ${HOST} 127.0.0.1`]);
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

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  /** Sends a prompt and waits for the end of its answer. */
  async function ask(prompt: string): Promise<void> {
    await page.getByLabel('Prompt', { exact: true }).fill(prompt);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.ask .stop');
    await page.waitForSelector('.ask button[type=submit]');
  }
  const answers = () => page.locator('article.assistant .text').allTextContents();

  test('a chat by keyboard alone', async () => {
    await page.getByLabel('Prompt', { exact: true }).focus();
    await page.keyboard.type('What is deep learning ?');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.note');
    await expect.poll(answers).toEqual([expect.stringContaining('Layers learn: 深度学习 😀 done.')]);
    expect(await page.locator('.note').textContent()).toMatch(
      /^ended: stop; \d+ \+ \d+ tokens; first token after \d+ ms, then \d+ tokens\/s$/,
    );
  });

  test('a chat from another machine without TLS, where browsers withhold some of what they can', async () => {
    const other = await browser.newPage();
    await other.goto(server.httpUrl.replace(/127\.0\.0\.1|localhost/, HOST));
    await other.waitForSelector('.health.ready');
    expect(await other.evaluate('isSecureContext')).toBe(false);
    await other.getByLabel('Prompt', { exact: true }).fill('What is deep learning ?');
    await other.keyboard.press('Enter');
    await other.waitForSelector('.note');
    expect(await other.locator('.note').textContent()).toMatch(/^ended: stop/);
    await other.close();
  });

  test('what nobody changed is not sent, and the system prompt is', async () => {
    await page.getByText('System prompt and sampling').click();
    await page.getByLabel('System prompt of this conversation').fill('Be brief.');
    const sent = page.waitForRequest(/completions$/);
    await ask('Why ?');
    const body = (await sent).postDataJSON() as Record<string, unknown>;
    for (const name of ['temperature', 'top_p', 'top_k', 'max_tokens', 'repetition_penalty'])
      expect(body).not.toHaveProperty(name);
    expect(body['messages']).toMatchObject([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is deep learning ?' },
      { role: 'assistant' },
      { role: 'user', content: 'Why ?' },
    ]);
    await page.getByLabel('Max tokens').fill('7');
    const limited = page.waitForRequest(/completions$/);
    await ask('And ?');
    expect((await limited).postDataJSON()).toMatchObject({ max_tokens: 7 });
    await page.getByLabel('Max tokens').fill('');
    expect(await page.getByLabel('Max tokens').getAttribute('max')).toBe('4096');
  });

  test('another answer and an edited question are branches, and one gets back', async () => {
    await button('New').click();
    await ask('first');
    await button('Answer again').click();
    await page.waitForSelector('.branches');
    await expect.poll(() => page.locator('article.assistant .branches').textContent()).toBe('‹2 of 2›');
    await page.waitForSelector('.ask button[type=submit]');
    await button('Edit').click();
    await page.getByLabel('Edited message').fill('second');
    await button('Send as a branch').click();
    await expect.poll(() => page.locator('article.user .text').allTextContents()).toEqual(['second']);
    await page.waitForSelector('.ask button[type=submit]');
    await page.getByLabel('Alternative before').first().click();
    expect(await page.locator('article.user .text').allTextContents()).toEqual(['first']);
    expect(await page.locator('article.assistant .branches').textContent()).toBe('‹2 of 2›');
  });

  test('Markdown is shown, code can be copied, and nothing of it can do harm', async () => {
    await button('New').click();
    await page.getByLabel('Max tokens').fill('1000');
    await ask('as Markdown');
    const answer = page.locator('article.assistant .markdown');
    await answer.locator('pre .hljs-keyword').waitFor();
    expect(await answer.locator('h1, strong, li').allTextContents()).toEqual(['Title', 'bold', 'one', 'two']);
    expect(await answer.locator('script, img, iframe, form, [onclick], [style]').count()).toBe(0);
    expect(await answer.locator('a').first().getAttribute('rel')).toContain('noopener');
    expect(await answer.locator('a[href]').count()).toBe(1);
    await button('Copy code').click();
    await expect.poll(() => answer.locator('.copy').textContent()).toBe('Copied');
    expect(await seriousFaults(page)).toEqual([]);
  });

  test('text is read in the direction of its script', async () => {
    await button('New').click();
    await ask('שלום');
    const direction = (selector: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).direction`);
    expect(await direction('article.user .text')).toBe('rtl');
    expect(await direction('article.assistant .markdown p')).toBe('ltr');
  });

  test('a failure is told from the end of an answer', async () => {
    await button('New').click();
    await page.route('**/completions', (route) => route.fulfill({ status: 503, body: '{}' }));
    await page.getByLabel('Prompt', { exact: true }).fill('fail');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.note').getAttribute('class')).toBe('note fault');
    await page.unroute('**/completions');
    await button('Answer again').click();
    await expect.poll(() => page.locator('.note').getAttribute('class')).toBe('note');
  });

  test('an answer that grows leaves a reader who scrolled up alone, and follows one at the end', async () => {
    const LOG = "document.querySelector('.log')";
    const scrollTop = () => page.evaluate<number>(`${LOG}.scrollTop`);
    const toEnd = () => page.evaluate<number>(`${LOG}.scrollHeight - ${LOG}.clientHeight - ${LOG}.scrollTop`);
    await button('New').click();
    await page.getByLabel('Prompt', { exact: true }).fill('without end');
    await page.keyboard.press('Enter');
    await expect.poll(scrollTop).toBeGreaterThan(200);
    expect(await toEnd()).toBeLessThan(40);
    // Text that comes before the event of the scroll does not take it back.
    await page.evaluate(`${LOG}.scrollTop = 20, ${LOG}.lastElementChild.append('')`);
    const length = (await answers())[0]!.length;
    await expect.poll(async () => (await answers())[0]!.length).toBeGreaterThan(length + 200);
    expect(await scrollTop()).toBe(20);
    await page.evaluate(`${LOG}.scrollTop = ${LOG}.scrollHeight`);
    const later = (await answers())[0]!.length;
    await expect.poll(async () => (await answers())[0]!.length).toBeGreaterThan(later + 200);
    expect(await toEnd()).toBeLessThan(40);
    await button('Stop').click();
    await page.waitForSelector('.note');
    await expect.poll(toEnd).toBeLessThan(2);
  });

  test('a second click on Send does not stop the answer', async () => {
    await button('New').click();
    await page.getByLabel('Prompt', { exact: true }).fill('double');
    await button('Send').dblclick();
    await page.waitForSelector('.note');
    expect(await page.locator('.note').textContent()).toMatch(/^ended: stop/);
  });

  test('a reload in the middle of an answer loses nothing that was shown', async () => {
    await button('New').click();
    await page.getByLabel('Prompt', { exact: true }).fill('without end');
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await answers())[0]?.length ?? 0).toBeGreaterThan(80);
    const shown = (await answers())[0]!.trim();
    await page.reload();
    await page.waitForSelector('.health.ready');
    await expect.poll(async () => (await answers())[0]?.trim().startsWith(shown)).toBe(true);
    expect(await page.locator('.note').textContent()).toBe('cut off by a reload');
    await until(() => server.model.runningCount === 0);
    await page.getByLabel('Conversations').selectOption({ label: 'What is deep learning ?' });
    expect(await page.locator('article.user .text').first().textContent()).toBe('What is deep learning ?');
  });

  test('conversations leave as Markdown and JSON, and come back', async () => {
    await page.getByText('More').click();
    const saved = async (name: string): Promise<string> => {
      const download = page.waitForEvent('download');
      await button(name).click();
      return readFileSync(await (await download).path(), 'utf8');
    };
    expect(await saved('Export as Markdown')).toMatch(
      /^# What is deep learning \?\n\n## System\n\nBe brief\.\n\n## You\n/,
    );
    const json = await saved('Export all as JSON');
    const countOf = () => page.getByLabel('Conversations').locator('option').count();
    const before = await countOf();
    const file = (text: string) => ({
      name: 'a.json',
      mimeType: 'application/json',
      buffer: Buffer.from(text),
    });
    await page.getByLabel('Import').setInputFiles(file(json));
    await expect.poll(countOf).toBe(2 * before);
    await page.getByLabel('Import').setInputFiles(file('{"chats":[{}]}'));
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/no export of conversations/);
    await button('Delete this one').click();
    await expect.poll(countOf).toBe(2 * before - 1);
    await page.getByText('More').click();
  });

  test('text files that are dropped are put into the prompt', async () => {
    const transfer = await page.evaluateHandle(
      `(() => { const data = new DataTransfer(); data.items.add(new File(['one line'], 'notes.txt')); return data; })()`,
    );
    await page.locator('.ask').dispatchEvent('drop', { dataTransfer: transfer });
    await expect
      .poll(() => page.getByLabel('Prompt', { exact: true }).inputValue())
      .toBe('notes.txt:\n\none line');
    await page.getByLabel('Prompt', { exact: true }).fill('');
    const picture = await page.evaluateHandle(
      `(() => { const data = new DataTransfer(); data.items.add(new File(['\\0'], 'a.png')); return data; })()`,
    );
    await page.locator('.ask').dispatchEvent('drop', { dataTransfer: picture });
    await expect
      .poll(() => page.getByRole('alert').allTextContents())
      .toContain('a.png is no text: drop files of text of at most 1 MiB.');
    expect(await page.getByLabel('Prompt', { exact: true }).inputValue()).toBe('');
  });

  test('the theme is a choice that stays', async () => {
    const ground = () => page.evaluate('getComputedStyle(document.body).color');
    await page.getByLabel('Theme').selectOption('dark');
    const dark = await ground();
    await page.reload();
    await page.waitForSelector('.health.ready');
    expect(await ground()).toBe(dark);
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByLabel('Theme').selectOption('light');
    expect(await ground()).not.toBe(dark);
  });

  test('token probabilities, with whole characters', async () => {
    await page.getByText('System prompt and sampling').click();
    await page.getByLabel('Show token probabilities').check();
    await button('New').click();
    await ask('again');
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
    await page.getByLabel('Prompt', { exact: true }).fill('A person');
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

  test('the ranks of an engine are shown with the memory of each', async () => {
    const rows = page.locator('.ranks tbody tr');
    await expect.poll(() => rows.count()).toBe(2);
    expect(await rows.nth(1).locator('th, td').allTextContents()).toEqual([
      '1 (gpu 2)',
      '1.0 MiB',
      '0.0 MiB',
      '0.0 MiB',
    ]);
  });

  test.each(LOOKS)(
    'at $width px, $colorScheme: nothing overflows, and axe finds no serious fault',
    async (look) => {
      await page.setViewportSize({ width: look.width, height: 844 });
      await page.emulateMedia({ colorScheme: look.colorScheme });
      await page.getByLabel('Theme').selectOption('auto');
      const [red] = /\d+/.exec(await page.evaluate<string>('getComputedStyle(document.body).color')) ?? [];
      expect(Number(red) > 127).toBe(look.colorScheme === 'dark');
      const widths = await page.evaluate(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      expect(widths).toEqual([look.width, look.width]);
      expect(await seriousFaults(page)).toEqual([]);
    },
  );

  test('nothing comes from elsewhere, nothing fails', async () => {
    expect(requests.filter((url) => !url.startsWith(server.httpUrl) && !url.startsWith('data:'))).toEqual([]);
    expect(faults).toEqual([]);
  });
});
