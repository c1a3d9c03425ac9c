/** The report of requests in flight. Pure. */
import { type Static, Type } from 'typebox';
import { MACHINE } from '../report/earlier-result.js';
import { knownFacts, machineFacts } from '../report/facts.js';
import { binsOf, type Histogram } from '../report/histogram.js';
import type { Cell, HistogramChart, Report, Table } from '../report/report.js';
import type { InflightReport, Percentiles } from './latency-report.js';
import type { MachineRecord } from './machine.js';

export interface InflightResult {
  readonly machine: MachineRecord;
  /** True when it was stopped before its last request. */
  readonly partial: boolean;
  readonly workload: InflightWorkload;
  readonly report: InflightReport;
  readonly ttft_histogram: Histogram;
  readonly tpot_histogram: Histogram;
}

interface InflightWorkload {
  readonly dataset?: string;
  readonly inputLen: string;
  readonly outputLen: string;
  /** Requests a second; Infinity sends all at once. */
  readonly requestRate: number;
  readonly seed: number;
}

const TIME = Type.Union([Type.Number(), Type.Null()]);
const TIMES = Type.Object({ average: TIME, p50: TIME, p90: TIME, p99: TIME, maximum: TIME });
const HISTOGRAM = Type.Object({
  binsPerDecade: Type.Number(),
  firstBin: Type.Number(),
  counts: Type.Array(Type.Number()),
});

/** The part of an earlier result that is compared. Old versions have no histograms. */
export const EARLIER_INFLIGHT = Type.Object({
  machine: MACHINE,
  report: Type.Object({
    request_throughput_req_s: Type.Number(),
    system_output_throughput_tok_s: Type.Number(),
    output_throughput_per_user_tok_s: Type.Number(),
    ttft_percentiles: TIMES,
    tpot_percentiles: TIMES,
    itl_percentiles: TIMES,
    request_latency_percentiles_ms: TIMES,
  }),
  ttft_histogram: Type.Optional(HISTOGRAM),
  tpot_histogram: Type.Optional(HISTOGRAM),
});
export type EarlierInflight = Static<typeof EARLIER_INFLIGHT>;

export function inflightPage(title: string, result: InflightResult, earlier?: EarlierInflight): Report {
  const { machine, workload, report } = result;
  return {
    title,
    ...(result.partial ? { partial: 'Stopped before its end: the requests after these are missing.' } : {}),
    facts: [
      knownFacts('Workload', {
        Requests: report.num_requests,
        Arrivals:
          workload.requestRate === Infinity ? 'all at once' : `${workload.requestRate} a second (Poisson)`,
        Prompts: workload.dataset ?? `${workload.inputLen} tokens`,
        Outputs: workload.dataset === undefined ? `${workload.outputLen} tokens` : 'as the data set says',
        'Mean lengths': `${report.avg_input_length.toFixed(1)} and ${report.avg_output_length.toFixed(1)} tokens`,
        Seed: workload.seed,
      }),
      machineFacts('Machine', machine),
      ...(earlier === undefined ? [] : [machineFacts('Earlier run', earlier.machine)]),
    ],
    charts: [
      histogram('Time to first token', result.ttft_histogram, earlier?.ttft_histogram),
      histogram('Time per output token after the first', result.tpot_histogram, earlier?.tpot_histogram),
    ],
    tables: [rateTable(report, earlier?.report), timeTable(report, earlier?.report)],
  };
}

function histogram(title: string, now: Histogram, earlier: Histogram | undefined): HistogramChart {
  return {
    kind: 'histogram',
    title,
    label: 'ms',
    panels: [
      { name: 'now', bins: binsOf(now) },
      ...(earlier === undefined ? [] : [{ name: 'earlier', bins: binsOf(earlier) }]),
    ],
  };
}

function rateTable(report: InflightReport, earlier: EarlierInflight['report'] | undefined): Table {
  const rows = (
    [
      ['requests/s', 'request_throughput_req_s'],
      ['output tokens/s', 'system_output_throughput_tok_s'],
      ['output tokens/s of a user', 'output_throughput_per_user_tok_s'],
    ] as const
  ).map(([name, key]): Cell[] => [name, report[key], ...changeCells(report[key], earlier?.[key])]);
  return {
    caption: 'Rates',
    columns: ['rate', 'now', ...(earlier === undefined ? [] : ['earlier', 'change, %'])],
    rows: earlier === undefined ? rows.map((row) => row.slice(0, 2)) : rows,
  };
}

function timeTable(report: InflightReport, earlier: EarlierInflight['report'] | undefined): Table {
  const times: readonly (readonly [string, Percentiles, EarlierTimes | undefined])[] = [
    ['to first token', report.ttft_percentiles, earlier?.ttft_percentiles],
    ['per output token', report.tpot_percentiles, earlier?.tpot_percentiles],
    ['between tokens', report.itl_percentiles, earlier?.itl_percentiles],
    ['whole request', report.request_latency_percentiles_ms, earlier?.request_latency_percentiles_ms],
  ];
  const shown = ['average', 'p50', 'p90', 'p99', 'maximum'] as const;
  return {
    caption: 'Times in ms',
    columns: ['time', ...shown, ...(earlier === undefined ? [] : ['p50 earlier', 'change, %'])],
    rows: times.map(([name, now, then]): Cell[] => [
      name,
      ...shown.map((key) => orNull(now[key])),
      ...(earlier === undefined ? [] : changeCells(now.p50, then?.p50)),
    ]),
  };
}

type EarlierTimes = EarlierInflight['report']['ttft_percentiles'];

/** The earlier value, and the change since in percent. */
function changeCells(now: number, earlier: number | null | undefined): Cell[] {
  const before = earlier ?? NaN;
  return [orNull(before), orNull(100 * (now / before - 1))];
}

const orNull = (value: number): Cell => (Number.isFinite(value) ? value : null);
