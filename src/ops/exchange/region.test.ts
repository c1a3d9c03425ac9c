import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { exchangeLayout, MAX_PEERS, REGION_NAMES, REGION_WORDS, regionTable } from './region.js';

const SHAPE = { worldSize: 4, hidden: 4096, gatherColumns: 8001, maxLogits: 65 };
const HEADER = readFileSync(
  fileURLToPath(new URL('../../../src/ops/exchange/exchange.cuh', import.meta.url)),
  'utf8',
);

test('a description has the words that kernels read, in their order', () => {
  const [, list] = /enum RegionWord \{ ([^}]+) \}/.exec(HEADER)!;
  const names = REGION_WORDS.map((word) => `REGION_${word.replaceAll(/[A-Z]/g, '_$&').toUpperCase()}`);
  expect(list!.split(/,\s+/)).toEqual([...names, 'REGION_PEERS']);
});

test('regions, states and descriptions of all ranks lie at the same places and do not meet', () => {
  const layout = exchangeLayout(SHAPE);
  const areas = REGION_NAMES.flatMap((name) => [
    [layout.regions[name].offset, layout.regions[name].byteLength] as const,
    [layout.stateOffset(name), 16] as const,
    [layout.tableOffset(name), 8 * (REGION_WORDS.length + MAX_PEERS)] as const,
  ]);
  areas.push([layout.marksOffset, 8 * MAX_PEERS]);
  const sorted = areas.toSorted(([a], [b]) => a - b);
  for (const [i, [offset, byteLength]] of sorted.entries()) {
    expect(offset % 8).toBe(0);
    expect(offset + byteLength).toBeLessThanOrEqual(sorted[i + 1]?.[0] ?? layout.byteLength);
  }
  expect(layout.byteLength % (2 << 20)).toBe(0);
});

test('slots have room for the largest launch of their kind', () => {
  const { oneShot, twoShot, gather, tokens } = exchangeLayout(SHAPE).regions;
  expect([oneShot.slotVectors, twoShot.slotVectors]).toEqual([128 * 512, 2 ** 17]);
  expect([gather.slotVectors, tokens.slotVectors]).toEqual([4 * 8001, 17]);
});

test('a description names a region on every rank', () => {
  const layout = exchangeLayout(SHAPE);
  const place = {
    rank: 2,
    own: 2 ** 41,
    peers: [1, 2, 3, 4].map((i) => i * 2 ** 40),
    signals: 77,
    deadlineNs: 1e10,
  };
  const { offset, slotVectors } = layout.regions.twoShot;
  const table = Array.from(regionTable(layout, 'twoShot', place), Number);
  const state = 2 ** 41 + layout.stateOffset('twoShot');
  expect(table.slice(0, 9)).toEqual([
    ...[2, state, 77, slotVectors, 1e10],
    ...place.peers.map((peer) => peer + offset),
  ]);
});
