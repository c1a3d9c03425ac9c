/** Chromium for tests of pages. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
/** Without them the browser calls its maker's hosts at every start. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const hasChromium: boolean = existsSync(CHROMIUM);
/** Text for the name of a test that skips without it. */
export const NEEDS_CHROMIUM = `[needs ${CHROMIUM}: apt-get install chromium]`;

/** Phone, tablet and desk, light and dark: how pages are looked at. */
export const LOOKS = [390, 768, 1280].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
);

/** @param more flags beside those that keep it from calling out */
export function launchChromium(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...more] });
}

interface AxeViolation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** Serious and critical faults that axe finds in a page, each with the first element that has it. */
export async function seriousFaults(page: Page): Promise<string[]> {
  const axe = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));
  // Evaluated, because a page's content security policy may forbid added scripts.
  await page.evaluate(readFileSync(axe, 'utf8'));
  const { violations } = await page.evaluate<{ violations: readonly AxeViolation[] }>('axe.run()');
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}
