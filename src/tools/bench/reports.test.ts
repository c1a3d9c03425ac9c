/** Reports as data: the content of each. Their look is tested in `report/page.test.ts`. */
import { describe, expect, test } from 'vitest';
import {
  inflightResult,
  records,
  STATIC_WORKLOAD,
  staticResult,
  sweep,
  SWEEP_WORKLOAD,
  throughJson,
} from '../report/testing/results.js';
import { EARLIER_INFLIGHT, inflightPage } from './inflight-report.js';
import { inflightReport } from './latency-report.js';
import { EARLIER_SWEEP, sweepReport } from './serve/sweep-report.js';
import { EARLIER_STATIC, staticPage } from './static-report.js';

test('tokens that share a message share its gap', () => {
  const single = inflightReport(records(3), 100);
  expect(single.tokens_per_message).toBe(1);
  expect(single.itl_percentiles.p50).toBe(3);
  const pairs = inflightReport(records(6, 2), 100);
  expect(pairs.tokens_per_message).toBe(2);
  expect(pairs.itl_percentiles).toMatchObject({ minimum: 3, maximum: 3 });
  expect(pairs.message_gap_percentiles.p50).toBe(6);
});

describe('a sweep of loads', () => {
  test('has a curve of throughput against the speed of a user, with the service level across it', () => {
    const [frontier, ttft] = sweepReport(sweep(2), { ...SWEEP_WORKLOAD, sloTpotMs: 4, sloTtftMs: 50 }).charts;
    expect(frontier).toMatchObject({ kind: 'lines', limit: { value: 250 } });
    expect(frontier?.kind === 'lines' && frontier.lines[0]!.points.map(({ label }) => label)).toEqual([
      'requests at a time 1',
      'requests at a time 4',
    ]);
    expect(ttft).toMatchObject({ limit: { value: 50, label: 'service level: 50 ms' } });
  });

  test('an earlier result is read from its file and drawn beside, with changes in percent', () => {
    const earlier = throughJson(EARLIER_SWEEP, sweep(4));
    const report = sweepReport(sweep(2), SWEEP_WORKLOAD, earlier);
    expect(report.charts[2]).toMatchObject({ kind: 'lines' });
    const changes = report.tables[1]!;
    expect(changes.rows[0]![changes.columns.indexOf('TPOT p50')]).toBe(-50);
  });

  test('one that was stopped says so', () => {
    expect(sweepReport(sweep(2, true), SWEEP_WORKLOAD).partial).toMatch(/loads after these are missing/);
    expect(sweepReport(sweep(2), SWEEP_WORKLOAD)).not.toHaveProperty('partial');
  });

  test('p99 of few requests is explained', () => {
    expect(JSON.stringify(sweepReport(sweep(2), SWEEP_WORKLOAD).facts)).toMatch(/fewer than 100 requests/);
  });
});

test('requests in flight: rates and times beside those of an earlier run', () => {
  const earlier = throughJson(EARLIER_INFLIGHT, inflightResult(4));
  const page = inflightPage('In flight', inflightResult(2), earlier);
  const times = page.tables[1]!;
  const row = times.rows.find(([name]) => name === 'per output token')!;
  expect([row[times.columns.indexOf('p50')], row[times.columns.indexOf('change, %')]]).toEqual([2, -50]);
  expect(page.charts[0]).toMatchObject({ panels: [{ name: 'now' }, { name: 'earlier' }] });
});

test('static batches: a line a pair of lengths, without points for what does not fit', () => {
  const earlier = throughJson(EARLIER_STATIC, staticResult(80));
  const page = staticPage(staticResult(100), STATIC_WORKLOAD, earlier);
  expect(page.charts[1]).toMatchObject({
    lines: [
      { name: '8 in, 4 out', isEarlier: false, points: [{ x: 1, y: 100 }] },
      { name: '8 in, 4 out', isEarlier: true, points: [{ x: 1, y: 80 }] },
    ],
  });
  expect(page.tables[0]!.rows.map((cells) => cells.at(-1))).toEqual([25, null]);
  expect(page.tables[0]!.rows[1]).toContain('OOM');
});
