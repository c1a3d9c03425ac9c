import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { hazardsOf, isPair, judgeReports, parseReports, withCounts } from './race-reports.mjs';
import { EXCHANGE } from './sanitizers.mjs';

const STORE = 'cluster_store(unsigned int, float, float, float, float)';
const LOAD = 'load_shared16(unsigned int)';

/** A report: the first access, then those that race with it, each as `Write NAME` or `Read NAME`. */
function race(first, ...others) {
  const access = (text) => text.replace(' ', ' access at ');
  const rest = others.map(
    (text, i) => `=========     and ${access(text)}+0x63${i}0 in prelude.cuh:92 [63488 hazards]`,
  );
  const start = `========= Error: Race reported between ${access(first)}+0x5e70 in cluster.cuh:24`;
  return [start, ...rest, '========='].join('\n');
}

const counted = (errors, warnings = 0) =>
  `========= RACECHECK SUMMARY: ${errors + warnings} hazards displayed (${errors} errors, ${warnings} warnings)`;
const session = (...reports) =>
  ['========= COMPUTE-SANITIZER', '{"name":"NVIDIA H200"}', 'pass int8 (5.9 s)', ...reports].join('\n');
const EXCHANGE_RACE = race(`Write ${STORE}`, `Read ${LOAD}`);

describe('reports', () => {
  test('are read with their accesses, places and hazards', () => {
    const { races, others, counted: total } = parseReports(session(EXCHANGE_RACE, counted(1)));
    expect(races).toEqual([
      {
        severity: 'Error',
        accesses: [
          { kind: 'Write', name: STORE, place: 'cluster.cuh:24', hazards: 0 },
          { kind: 'Read', name: LOAD, place: 'prelude.cuh:92', hazards: 63488 },
        ],
      },
    ]);
    expect({ others, total }).toEqual({ others: [], total: 1 });
  });

  test('of kernels without source lines are read', () => {
    const text = '========= Error: Race reported between Read access at nvjet_sm90_hsh_64x8+0x1f0';
    expect(parseReports(text).races[0].accesses[0]).toMatchObject({
      kind: 'Read',
      name: 'nvjet_sm90_hsh_64x8',
    });
  });

  test('of other kinds are kept by their first line', () => {
    const invalid = '========= Invalid __global__ write of size 4 bytes';
    const detail = '=========     at scatter(float*)+0x30 in a.cu:7';
    expect(parseReports(session(invalid, detail, '========= ERROR SUMMARY: 1 error'))).toEqual({
      races: [],
      others: ['Invalid __global__ write of size 4 bytes'],
      counted: 1,
    });
  });
});

describe('the pair', () => {
  const isExchange = (...accesses) => isPair(parseReports(race(...accesses)).races[0], EXCHANGE);

  test('is a write in one function and reads in the other, in either order', () => {
    expect(isExchange(`Write ${STORE}`, `Read ${LOAD}`)).toBe(true);
    expect(isExchange(`Read ${LOAD}`, `Write ${STORE}`)).toBe(true);
    expect(isExchange(`Write ${STORE}`, `Read ${LOAD}`, `Read ${LOAD}`)).toBe(true);
  });

  test('is nothing else', () => {
    expect(isExchange(`Write ${STORE}`, `Write ${STORE}`)).toBe(false);
    expect(isExchange(`Write ${LOAD}`, `Read ${STORE}`)).toBe(false);
    expect(isExchange(`Write ${STORE}`, `Read ${LOAD}`, 'Read other(int)')).toBe(false);
    expect(isExchange('Write other(int)', `Read ${LOAD}`)).toBe(false);
    expect(isExchange('Write not_cluster_store(int)', `Read ${LOAD}`)).toBe(false);
    expect(isExchange(`Write ${STORE}`, 'Read load_shared16x2(int)')).toBe(false);
  });
});

describe('a verdict', () => {
  test('excuses the pair and counts the matrix library apart', () => {
    const foreign = race('Write nvjet_sm90_hsh', 'Read nvjet_sm90_hsh');
    const text = session(EXCHANGE_RACE, foreign, EXCHANGE_RACE, counted(3));
    const { excused, foreignCount, faults } = judgeReports(text, EXCHANGE);
    expect([excused.length, hazardsOf(excused), foreignCount, faults]).toEqual([2, 126_976, 1, []]);
  });

  test('excuses nothing without a pair', () => {
    const { excused, faults } = judgeReports(session(EXCHANGE_RACE, EXCHANGE_RACE, counted(2)), undefined);
    const fault = `Error: Write in ${STORE} (cluster.cuh:24) and Read in ${LOAD} (prelude.cuh:92)`;
    expect([excused, withCounts(faults)]).toEqual([[], [`2 x ${fault}`]]);
  });

  test.each([
    ['a race of other functions', [race('Write a(int)', 'Read b(int)'), counted(1)], /Write in a\(int\)/],
    [
      'a race with the matrix library on one side',
      [race('Write nvjet_x', 'Read b(int)'), counted(1)],
      /nvjet_x/,
    ],
    [
      'a warning of the tool',
      ['========= Warning: Maximum number of hazards reached.', counted(0)],
      /Maximum number of hazards/,
    ],
    [
      'a launch that was not watched',
      ['========= Internal Sanitizer Error: The Sanitizer encountered an error', counted(0)],
      /Internal Sanitizer Error/,
    ],
    [
      'an access outside of a cluster',
      ['========= Potential invalid __shared__ write', counted(0)],
      /Potential/,
    ],
    ['no summary', [EXCHANGE_RACE], /no summary/],
    ['more counted than read', [EXCHANGE_RACE, counted(101)], /counts 101 reports, and 1 were read/],
  ])('fails on %s', (_, reports, fault) => {
    const { faults } = judgeReports(session(...reports), EXCHANGE);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});

test('the pair is the exchange in wide.cuh and nothing else', () => {
  const ops = fileURLToPath(new URL('../../../src/ops', import.meta.url));
  const calls = readdirSync(ops, { recursive: true })
    .filter((file) => /\.cuh?$/.test(file))
    .flatMap((file) =>
      readFileSync(join(ops, file), 'utf8')
        .split('\n')
        .filter((line) => new RegExp(`\\b${EXCHANGE.write}\\(`).test(line) && !/ void /.test(line))
        .map(() => file),
    );
  expect(calls.map((file) => file.split('/').at(-1))).toEqual(['wide.cuh']);
  const [exchange] = /void exchange\([\s\S]*?\n {2}}\n/.exec(readFileSync(join(ops, calls[0]), 'utf8'));
  for (const name of Object.values(EXCHANGE)) expect(exchange).toContain(`${name}(`);
});
