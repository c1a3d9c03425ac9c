import { describe, expect, it, test } from 'vitest';
import { createDecodeGraphs, graphRows, graphSize, graphSizes } from './decode-graphs.js';

describe('graphRows', () => {
  it('never goes down and never below the batch', () => {
    let last = 0;
    for (let rows = 1; rows <= 512; rows++) {
      expect(graphRows(rows)).toBeGreaterThanOrEqual(Math.max(rows, last));
      last = graphRows(rows);
    }
    expect([1, 2, 3, 5, 9, 65, 257].map(graphRows)).toEqual([1, 2, 4, 8, 16, 80, 288]);
  });
});

test.each([
  [1, 1],
  [8, 16],
  [20, 5],
  [24, 16],
  [300, 1],
])(
  'every step of up to %i rows, of sequences of up to %i pieces, has its graph among all sizes',
  (maxRows, most) => {
    // Rows of a larger class are cut less often.
    const maxPieces = (rows: number): number => (rows <= 16 ? most : Math.ceil(most / 2));
    const all = graphSizes(maxRows, maxPieces);
    const wanted = new Set<string>();
    for (let rows = 1; rows <= maxRows; rows++)
      for (let items = rows; items <= rows * maxPieces(rows); items++) {
        const size = graphSize(rows, items, maxRows);
        expect(size.rows).toBeGreaterThanOrEqual(rows);
        expect(size.decodeItems).toBeGreaterThanOrEqual(items);
        wanted.add(JSON.stringify(size));
      }
    expect(new Set(all.map((size) => JSON.stringify(size)))).toEqual(wanted);
    expect(all).toHaveLength(wanted.size);
  },
);

test('a part of a size is captured once, with a descriptor of its size', () => {
  const emitted: string[] = [];
  let disposed = 0;
  const stream = {
    capture(enqueue: () => void) {
      enqueue();
      return { launch: () => {}, dispose: () => disposed++ };
    },
  };
  const graphs = createDecodeGraphs(stream, 7, ({ capacity }, part) =>
    emitted.push(`${part} of ${capacity.rows}`),
  );
  const first = graphs.graphFor({ rows: 4, decodeItems: 8 }, 'whole');
  expect(graphs.graphFor({ rows: 4, decodeItems: 8 }, 'whole')).toBe(first);
  expect(first.layout.capacity).toEqual({
    tokens: 4,
    rows: 4,
    logits: 4,
    decodeItems: 8,
    prefillTiles: 0,
    keyTiles: 0,
    maxBlocks: 7,
  });
  graphs.graphFor({ rows: 4, decodeItems: 16 }, 'whole');
  expect(graphs.graphFor({ rows: 4, decodeItems: 8 }, 'forward')).not.toBe(first);
  graphs.graphFor({ rows: 4, decodeItems: 8 }, 'sampling');
  expect(emitted).toEqual(['whole of 4', 'whole of 4', 'forward of 4', 'sampling of 4']);
  graphs.dispose();
  expect(disposed).toBe(4);
});
