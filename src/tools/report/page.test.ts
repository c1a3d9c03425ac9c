/** Reports as a reader sees them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  hasChromium,
  launchChromium,
  LOOKS,
  NEEDS_CHROMIUM,
  seriousFaults,
} from '../../serve/testing/browser.js';
import { EARLIER_INFLIGHT, inflightPage } from '../bench/inflight-report.js';
import { EARLIER_SWEEP, sweepReport } from '../bench/serve/sweep-report.js';
import { EARLIER_STATIC, staticPage } from '../bench/static-report.js';
import { EARLIER_PROFILE, plainResult, profilePage } from '../profile/profile-report.js';
import { htmlReport } from './html.js';
import {
  inflightResult,
  PROFILE_RESULT,
  STATIC_WORKLOAD,
  staticResult,
  sweep,
  SWEEP_WORKLOAD,
  throughJson,
} from './testing/results.js';

const REPORTS = {
  'bench serve': sweepReport(
    sweep(2, true),
    { ...SWEEP_WORKLOAD, sloTtftMs: 7, sloTpotMs: 3 },
    throughJson(EARLIER_SWEEP, sweep(4)),
  ),
  'bench, in flight': inflightPage(
    'Requests in flight',
    inflightResult(2),
    throughJson(EARLIER_INFLIGHT, inflightResult(4)),
  ),
  'bench, static': staticPage(
    staticResult(100),
    STATIC_WORKLOAD,
    throughJson(EARLIER_STATIC, staticResult(80)),
  ),
  profile: profilePage(PROFILE_RESULT, throughJson(EARLIER_PROFILE, plainResult(PROFILE_RESULT))),
};
type ReportName = keyof typeof REPORTS;

describe.skipIf(!hasChromium)(`report ${NEEDS_CHROMIUM}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-page-'));
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  interface Look {
    readonly width: number;
    readonly colorScheme: 'light' | 'dark';
  }

  async function open(name: ReportName, { width, colorScheme }: Look): Promise<Page> {
    const file = join(folder, `${name}.html`);
    writeFileSync(file, htmlReport(REPORTS[name]));
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector('figure svg');
    return page;
  }

  test.each(Object.keys(REPORTS) as ReportName[])(
    'of %s: on a phone, a tablet and a desk, light and dark, nothing overflows, and axe finds no serious fault',
    async (name) => {
      for (const look of LOOKS) {
        const page = await open(name, look);
        expect(await page.locator('figure svg').count()).toBeGreaterThanOrEqual(REPORTS[name].charts.length);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(look.width);
        expect(await seriousFaults(page)).toEqual([]);
        const hidden = `[...document.querySelectorAll('.table')].map((one) => one.scrollWidth - one.clientWidth)`;
        if (look.width === 1280)
          expect(Math.max(...(await page.evaluate<number[]>(hidden))), 'hidden columns').toBe(0);
        await page.close();
      }
    },
  );

  test('shows values under the pointer, the service level, and that it is partial', async () => {
    const page = await open('bench serve', { width: 1280, colorScheme: 'light' });
    const chart = page.locator('figure.lines').nth(1);
    await chart.locator('svg circle').first().hover({ force: true });
    await expect.poll(() => chart.locator('svg').textContent()).toMatch(/requests at a time 1.*ms: /);
    expect(await chart.locator('svg').textContent()).toContain('service level: 7 ms');
    expect(await page.getByRole('status').textContent()).toMatch(/Stopped before its end/);
    await page.close();
  });

  test('sorts a table by the heading that is pressed, with the keyboard', async () => {
    const page = await open('bench serve', { width: 1280, colorScheme: 'light' });
    const table = page.locator('table').first();
    const loads = () => table.locator('tbody td:first-child').allTextContents();
    expect(await loads()).toEqual(['1', '4']);
    const heading = table.getByRole('button', { name: 'requests at a time' });
    await heading.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    expect(await loads()).toEqual(['4', '1']);
    expect(await table.locator('th').first().getAttribute('aria-sort')).toBe('descending');
    await page.close();
  });
});
