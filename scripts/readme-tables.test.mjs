import { describe, expect, test } from 'vitest';
import { paragraph, runsOf, source, table } from './readme/format.mjs';
import { GPUS, leastSeconds } from './readme/hardware-limit.mjs';
import { commitOf, fromNewest, readResults, Refusal, refusalsOf, sessionsOf } from './readme/results.mjs';
import { DOCUMENTS, readDocument, resultsPath, withFigures } from './readme-tables.mjs';

const results = readResults(resultsPath);

const [README, GUIDE] = DOCUMENTS;

test.each(DOCUMENTS)('$path shows what the results say', (document) => {
  const text = readDocument(document);
  expect(withFigures(document, text, results) === text, 'run npm run readme-tables').toBe(true);
});

test('the guide has a row for every fleet, and links to results from where it lies', () => {
  const text = withFigures(GUIDE, readDocument(GUIDE), results);
  for (const { path, data } of results.filter((result) => result.path.startsWith('fleet/'))) {
    expect(text).toContain(`(../../bench/results/${path})`);
    for (const { policy, replicaCount, tokensPerSecondAndReplica } of data.rows) {
      const [count, speed] = [replicaCount, tokensPerSecondAndReplica].map((value) =>
        value.toLocaleString('en-US', { maximumFractionDigits: 0 }),
      );
      expect(text).toContain(`| ${policy} | ${count} | ${speed} |`);
    }
  }
  const others = results.filter((result) => !result.path.startsWith('fleet/'));
  expect(() => withFigures(GUIDE, text, others)).toThrow('no result of bench/fleet');
});

test('every result is of one commit, of a tree without changes', () => {
  expect(results.length).toBeGreaterThan(10);
  expect(refusalsOf(results)).toEqual([]);
});

describe('a result is refused', () => {
  test.each([
    ['of a tree with changes', { machine: { commit: '571b47f+' } }, "is of '571b47f+', which is no commit"],
    ['of an unknown commit', { commit: 'unknown' }, "is of 'unknown', which is no commit"],
    ['without a commit', { machine: {} }, 'names no commit'],
    [
      'of two commits',
      { commit: '571b47f', rows: [{ commit: 'c1ce8c0' }] },
      'mixes commits 571b47f and c1ce8c0',
    ],
  ])('%s', (_, data, reason) => {
    const fault = expect.objectContaining({ message: expect.stringContaining(`a.json ${reason}`) });
    expect(() => commitOf({ path: 'a.json', data })).toThrow(fault);
    expect(() => withFigures(README, '', [{ path: 'a.json', data }])).toThrow(/^Refused: a\.json/);
  });
});

const H200 = 'NVIDIA H200';

/** An acceptance run of one hour of a day. */
function run(commit, hour, parts, machine = { gpu: H200 }) {
  const date = `2026-11-26T${hour}:00:00.000Z`;
  const list = Object.entries(parts).map(([name, part]) => ({ name, ok: true, needs: {}, ...part }));
  return { path: `cuda/${commit}-${hour}.json`, data: { commit, machine, date, parts: list } };
}

describe('a session', () => {
  const part = (runs, name) => sessionsOf(runs, H200)[0].part(name);

  test('is all runs of one commit on one kind of machine, the newest first', () => {
    const other = { gpu: H200, driver: '590' };
    const runs = [run('aaaaaaa', '01', {}), run('aaaaaaa', '09', {}, other), run('bbbbbbb', '05', {})];
    const sessions = sessionsOf(
      [...runs, run('bbbbbbb', '02', {}), run('ccccccc', '08', {}, { gpu: 'H100' })],
      H200,
    );
    expect(sessions.map(({ commit, date }) => [commit, date.slice(11, 13)])).toEqual([
      ['aaaaaaa', '09'],
      ['bbbbbbb', '05'],
      ['aaaaaaa', '01'],
    ]);
  });

  test('gives the newest outcome of a part, and the path of its run', () => {
    const runs = [
      run('aaaaaaa', '02', { x: { data: 2 } }),
      run('aaaaaaa', '01', { x: { data: 1 }, y: { data: 3 } }),
    ];
    expect([part(runs, 'x'), part(runs, 'y')]).toMatchObject([
      { data: 2, path: 'cuda/aaaaaaa-02.json' },
      { data: 3, path: 'cuda/aaaaaaa-01.json' },
    ]);
  });

  test.each([
    ['that did not run', {}, 'part x did not run'],
    ['that failed', { x: { ok: false } }, 'part x failed'],
    [
      'whose engine was not built well',
      { x: { needs: { build: false } } },
      'part build, which x needs, failed',
    ],
  ])('refuses a part %s', (_, parts, reason) => {
    expect(() => part([run('aaaaaaa', '01', parts)], 'x')).toThrow(new Refusal(reason));
  });

  test('that failed last does not fall back on an older outcome of the same commit', () => {
    const runs = [run('aaaaaaa', '01', { x: {} }), run('aaaaaaa', '02', { x: { ok: false } })];
    expect(() => part(runs, 'x')).toThrow(Refusal);
  });
});

describe('a block', () => {
  const makeOf =
    (...names) =>
    (session) => [session.commit, ...names.map((name) => session.part(name).data)];
  const older = run('aaaaaaa', '01', { x: { data: 1 }, y: { data: 2 } });
  const newer = run('bbbbbbb', '02', { x: { data: 3 } });
  const sessions = sessionsOf([older, newer], H200);

  test('is of the newest commit that has all its rows, never of two', () => {
    const notes = [];
    expect(fromNewest(sessions, makeOf('x'), (note) => notes.push(note))).toEqual(['bbbbbbb', 3]);
    expect(notes).toEqual([]);
    expect(fromNewest(sessions, makeOf('x', 'y'), (note) => notes.push(note))).toEqual(['aaaaaaa', 1, 2]);
    expect(notes).toEqual(['not of bbbbbbb (2026-11-26T02:00:00.000Z): part y did not run']);
  });

  test('that no commit has whole fails with every reason', () => {
    expect(() => fromNewest(sessions, makeOf('z'), () => {})).toThrow(
      /not of bbbbbbb .*: part z did not run; not of aaaaaaa .*: part z did not run/,
    );
  });

  test('of results that are there is made of a copy at another commit only when that is whole', () => {
    const copies = results
      .filter(({ path }) => path.startsWith('cuda/h200-571b47f'))
      .map(({ path, data }) => {
        const text = JSON.stringify(data)
          .replaceAll('571b47f', 'abcdef0')
          .replaceAll('2026-11-26', '2099-11-26');
        return { path: path.replace('571b47f', 'abcdef0'), data: JSON.parse(text) };
      });
    const readme = readDocument(README);
    expect(withFigures(README, readme, [...results, ...copies])).toContain(
      'acceptance.mjs` at commit abcdef0',
    );
    for (const { data } of copies)
      for (const row of data.parts)
        if (/^(int8-long|int8-short|fp16-kv8-capped)$/.test(row.name)) row.ok = false;
    const notes = [];
    expect(withFigures(README, readme, [...results, ...copies], (note) => notes.push(note)) === readme).toBe(
      true,
    );
    const ofCopy = notes.filter((note) => note.includes('not of abcdef0'));
    expect(ofCopy.map((note) => note.replace(/:.*:/, ':')).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'latency: part int8-short failed',
      'memory: part fp16-kv8-capped failed',
      'speed: part int8-short failed',
    ]);
  });

  test('must have its place in the README', () => {
    expect(() => withFigures(README, 'no figures', results)).toThrow(/must have front-end, latency/);
  });
});

describe('the hardware limit', () => {
  const shape = { batch: 1, inputTokens: 128, outputTokens: 1 };
  // 32 layers of 4 x 4096^2 and 3 x 4096 x 11008, and a head of 32000 x 4096.
  const [layers, head] = [6_476_005_376, 131_072_000];

  test('of one short prompt is that of reading the weights', () => {
    const limit = (quantisation) => leastSeconds(GPUS[H200], { ...shape, inputTokens: 1, quantisation });
    expect(limit('none')).toBeCloseTo((2 * (layers + head)) / 4.8e12, 9);
    expect(limit('int8')).toBeCloseTo((layers + 2 * head) / 4.8e12, 9);
  });

  test('of a large prompt is that of its products', () => {
    const flops = 16 * (2 * layers * 2048 + 2 * head + 2 * 2048 ** 2 * 4096 * 32);
    const large = { batch: 16, inputTokens: 2048, outputTokens: 1, quantisation: 'int8' };
    expect(leastSeconds(GPUS[H200], large)).toBeCloseTo(flops / 989e12, 9);
  });

  test('of a later token adds the cached keys and values of all sequences', () => {
    const seconds = (outputTokens) =>
      leastSeconds(GPUS[H200], { ...shape, batch: 4, outputTokens, quantisation: 'none' });
    const bytes = 2 * (layers + head) + 4 * 129 * 2 * 32 * 4096 * 2;
    expect(seconds(2) - seconds(1)).toBeCloseTo(bytes / 4.8e12, 9);
  });
});

describe('Markdown', () => {
  test('of a table aligns figures to the right', () => {
    expect(table(['a', 'b'], [['x', 1]])).toBe('| a | b |\n| --- | --: |\n| x | 1 |');
  });

  test('of a paragraph has lines of 120 characters', () => {
    const text = paragraph(`${'word '.repeat(60)}\n  ${'x'.repeat(150)} end`);
    expect(text.split('\n').map((line) => line.length)).toEqual([119, 119, 59, 150, 3]);
  });

  test('of a source links each file once', () => {
    const from = (...paths) => source({ script: 's.mjs', commit: 'aaaaaaa', paths });
    expect(from('a.json', 'a.json')).toBe('`s.mjs` at commit aaaaaaa; [results](bench/results/a.json)');
    expect(from('b.json', 'a.json')).toBe(
      '`s.mjs` at commit aaaaaaa; results [1](bench/results/a.json), [2](bench/results/b.json)',
    );
  });

  test('of runs says how many each case had', () => {
    expect(
      [
        [1, 1],
        [3, 3],
        [3, 1],
      ].map(runsOf),
    ).toEqual(['one run a case', 'the mean of 3 runs a case', 'the mean of 1 to 3 runs a case']);
  });
});
