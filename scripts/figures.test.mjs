/**
 * Measured figures in the README and the guides. Each stands in a block that `npm run readme-tables` writes from results, or in a
 * paragraph, table or list item that links its result; the rest are settings, and this list says where each is set.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => readFileSync(join(root, path), 'utf8');

const UNITS =
  'ms|us|µs|s|seconds|minutes|tokens/s|tokens a second|requests/s|requests a second|[GT]B/s|TFLOP/s|%|percent';
const FIGURE = new RegExp(String.raw`(?<![\w.-])\d[\d,.]*(?: to \d[\d,.]*)?\s?(?:${UNITS})(?![\w/])`, 'g');

/** Figures that no benchmark measures: `text` is in `file`, which sets the value or holds it in a test. */
const SET_ELSEWHERE = [
  { page: 'alerts.md', figures: ['5%'], file: 'docs/grafana/alerts.yml', text: '> 0.05' },
  { page: 'alerts.md', figures: ['5 s'], file: 'docs/grafana/alerts.yml', text: '[5m]))) > 5' },
  {
    page: 'benchmarks.md',
    figures: ['30 seconds'],
    file: 'src/tools/cli/progress.ts',
    text: 'LINE_EVERY_MS = 30_000',
  },
  {
    page: 'complaints.md',
    figures: ['10 s'],
    file: 'src/serve/context/options.ts',
    text: 'maxHeartbeatAgeMs: 10_000',
  },
  {
    page: 'complaints.md',
    figures: ['120 s'],
    file: 'src/run/batcher/batcher-options.ts',
    text: 'stepTimeoutMs: 120_000',
  },
  {
    page: 'in-flight-batching.md',
    figures: ['10 s'],
    file: 'src/run/batcher/batcher-options.ts',
    text: 'priorityHeadStartMs: 10_000',
  },
  {
    page: 'in-flight-batching.md',
    figures: ['120 s'],
    file: 'src/run/batcher/batcher-options.ts',
    text: 'stepTimeoutMs: 120_000',
  },
  {
    page: 'memory.md',
    figures: ['60%'],
    file: 'src/run/executor/cpu/open-cpu.ts',
    text: 'RESIDENT_SHARE = 0.6',
  },
  { page: 'profiling.md', figures: ['100 %'], file: 'docs/guide/profiling.md', text: 'may exceed 100 %' },
  { page: 'ranks.md', figures: ['30 seconds'], file: 'src/run/ranks/job.ts', text: 'GATHER_MS = 30_000' },
  {
    page: 'scale-out.md',
    figures: ['30 seconds'],
    file: 'src/serve/context/options.ts',
    text: 'drainMs: 30_000',
  },
  {
    page: 'scale-out.md',
    figures: ['7%'],
    file: 'bench/fleet/fleet.test.mjs',
    text: 'expect(ratio).toBeGreaterThan(0.93)',
  },
  {
    page: 'scale-out.md',
    figures: ['10%'],
    file: 'bench/fleet/fleet.test.mjs',
    text: 'expect(ratio).toBeGreaterThan(0.9)',
  },
  {
    page: 'ranks.md',
    figures: ['2 seconds'],
    file: 'src/run/ranks/rank-executor.ts',
    text: 'CLOSE_GRACE_MS = 2000',
  },
  { page: 'scale-out.md', figures: ['50 ms'], file: 'bench/fleet/simulate.mjs', text: 'LOOK_MS = 50' },
  { page: 'memory.md', figures: ['0.005%'], file: 'src/test/perplexity.test.ts', text: 'seen: 5.4e-5' },
  { page: 'memory.md', figures: ['0.12%'], file: 'src/test/perplexity.test.ts', text: 'seen: 1.2e-3' },
  {
    page: 'serving.md',
    figures: ['25 ms'],
    file: 'src/serve/generation/flusher.ts',
    text: 'MAX_GAP_MS = 25',
  },
  {
    page: 'serving.md',
    figures: ['30 s'],
    file: 'src/serve/context/options.ts',
    text: 'writeTimeoutMs: 30_000',
  },
];

/** Figures of a page that stand neither in a generated block nor beside a link to a result. */
function looseFigures(page) {
  const prose = read(page)
    .replaceAll(/```[^]*?```/g, '')
    .replaceAll(/<!-- figures:[^]*?<!-- end of figures -->/g, '')
    .replaceAll(/`[^`\n]*`/g, '`');
  return prose
    .split(/\n\s*\n|\n(?=- )/)
    .filter((block) => !block.includes('bench/results/'))
    .flatMap((block) => [...block.matchAll(FIGURE)].map(([figure]) => figure));
}

const pages = ['README.md', ...readdirSync(join(root, 'docs/guide')).map((name) => `docs/guide/${name}`)];

test.each(pages)('%s has no figure that nothing holds to its result', (page) => {
  const known = SET_ELSEWHERE.filter((entry) => page.endsWith(`/${entry.page}`)).flatMap(
    ({ figures }) => figures,
  );
  expect(looseFigures(page).filter((figure) => !known.includes(figure))).toEqual([]);
});

test.each(SET_ELSEWHERE)('$page: $figures is what $file has', ({ page, figures, file, text }) => {
  expect(read(file)).toContain(text);
  // An entry that nothing needs any more would hide a later figure.
  for (const figure of figures) expect(looseFigures(`docs/guide/${page}`)).toContain(figure);
});

test('a figure without a source is found, one in a block or beside a link is not', () => {
  const found = (text) => [...text.matchAll(FIGURE)].map(([figure]) => figure);
  expect(found('takes 12.5 ms, 1,288 tokens a second and 61% of 4.8 TB/s')).toEqual([
    '12.5 ms',
    '1,288 tokens a second',
    '61%',
    '4.8 TB/s',
  ]);
  expect(found('LLaMA-2-7B, 16 rows, version 0.5, sm_90a, 4096 sequences')).toEqual([]);
});
