/** The report of a sweep of loads against a server. Pure. */
import { type Static, Type } from 'typebox';
import { MACHINE } from '../../report/earlier-result.js';
import { knownFacts, machineFacts } from '../../report/facts.js';
import { binsOf, type Histogram } from '../../report/histogram.js';
import type {
  Axis,
  Cell,
  HistogramChart,
  Limit,
  Line,
  LineChart,
  Report,
  Table,
} from '../../report/report.js';
import type { InflightReport } from '../latency-report.js';
import type { MachineRecord } from '../machine.js';

export interface SweepPoint {
  /** Requests at a time, or a second. */
  readonly load: number;
  readonly report: InflightReport;
  readonly goodput: number;
  readonly errorCount: number;
  readonly ttft_histogram: Histogram;
  readonly tpot_histogram: Histogram;
}

export interface Sweep {
  readonly title: string;
  readonly loadName: string;
  readonly machine: MachineRecord;
  readonly points: readonly SweepPoint[];
  /** True when it was stopped before its last load. */
  readonly partial: boolean;
}

/** Requests as the server was asked. */
export interface SweepWorkload {
  readonly api: string;
  readonly model?: string;
  readonly numRequests: number;
  readonly warmUp: number;
  readonly dataset?: string;
  readonly inputLen: string;
  readonly outputLen: string;
  readonly seed: number;
  readonly sloTtftMs?: number;
  readonly sloTpotMs?: number;
}

/** JSON has null for a value that does not exist, such as the time per token after the first of answers of one token. */
const TIME = Type.Union([Type.Number(), Type.Null()]);
const PERCENTILES = Type.Object({ p50: TIME, p90: TIME, p99: TIME });

/** The part of an earlier result that is compared; those of old versions have no more. */
export const EARLIER_SWEEP = Type.Object({
  machine: MACHINE,
  points: Type.Array(
    Type.Object({
      load: Type.Number(),
      goodput: Type.Number(),
      report: Type.Object({
        num_requests: Type.Number(),
        request_throughput_req_s: Type.Number(),
        system_output_throughput_tok_s: Type.Number(),
        output_throughput_per_user_tok_s: Type.Number(),
        ttft_percentiles: PERCENTILES,
        tpot_percentiles: PERCENTILES,
        request_latency_percentiles_ms: PERCENTILES,
      }),
    }),
  ),
});
export type EarlierSweep = Static<typeof EARLIER_SWEEP>;

type ComparedPoint = EarlierSweep['points'][number];
/** One value of a point, under the name of its line. */
type Measure = readonly [name: string, value: (point: ComparedPoint) => number | null];

const OUTPUT_RATE: Measure = ['output tokens/s', ({ report }) => report.system_output_throughput_tok_s];
const FIRST_TOKEN: readonly Measure[] = [
  ['p50', ({ report }) => report.ttft_percentiles.p50],
  ['p90', ({ report }) => report.ttft_percentiles.p90],
  ['p99', ({ report }) => report.ttft_percentiles.p99],
];
const OUTPUT_TOKEN: readonly Measure[] = [
  ['p50', ({ report }) => report.tpot_percentiles.p50],
  ['p90', ({ report }) => report.tpot_percentiles.p90],
  ['p99', ({ report }) => report.tpot_percentiles.p99],
];
const REQUESTS: readonly Measure[] = [
  ['all', ({ report }) => report.request_throughput_req_s],
  ['within the service level', ({ goodput }) => goodput],
];

/** Fewer requests than this have no 99th percentile: it is their maximum. */
const MIN_REQUESTS_OF_P99 = 100;

export function sweepReport(sweep: Sweep, workload: SweepWorkload, earlier?: EarlierSweep): Report {
  const { title, machine, points, loadName } = sweep;
  const { sloTtftMs, sloTpotMs } = workload;
  const byLoad = (
    chartTitle: string,
    unit: string,
    measures: readonly Measure[],
    limit?: Limit,
  ): LineChart => ({
    kind: 'lines',
    title: chartTitle,
    x: loadAxis(sweep),
    y: { label: unit, scale: 'linear' },
    lines: linesOf(measures, sweep, earlier),
    ...(limit === undefined ? {} : { limit }),
  });
  return {
    title,
    ...(sweep.partial ? { partial: 'Stopped before its end: the loads after these are missing.' } : {}),
    facts: [
      workloadFacts(workload, points),
      machineFacts('Machine of the client', machine),
      ...(earlier === undefined ? [] : [machineFacts('Earlier run', earlier.machine)]),
    ],
    charts: [
      frontier(sweep, sloTpotMs, earlier),
      byLoad('Time to first token', 'ms', FIRST_TOKEN, levelOf(sloTtftMs)),
      byLoad('Time per output token after the first', 'ms', OUTPUT_TOKEN, levelOf(sloTpotMs)),
      byLoad('Requests', 'requests/s', REQUESTS),
      histogram('Time to first token, all requests', sweep, ({ ttft_histogram: own }) => own, sloTtftMs),
      histogram('Time per output token, all requests', sweep, ({ tpot_histogram: own }) => own, sloTpotMs),
    ],
    tables: [loadTable(points, loadName), ...(earlier === undefined ? [] : [changeTable(sweep, earlier)])],
  };
}

function workloadFacts(workload: SweepWorkload, points: readonly SweepPoint[]) {
  const { sloTtftMs, sloTpotMs } = workload;
  const level = [
    sloTtftMs === undefined ? [] : [`first token within ${sloTtftMs} ms`],
    sloTpotMs === undefined ? [] : [`at most ${sloTpotMs} ms per token after it`],
  ].flat();
  const isFew = points.some(({ report }) => report.num_requests < MIN_REQUESTS_OF_P99);
  return knownFacts('Workload', {
    Interface: workload.api,
    Model: workload.model,
    Requests: `${workload.numRequests} for each load, after ${workload.warmUp} that are not measured`,
    Prompts: workload.dataset ?? `${workload.inputLen} tokens`,
    Outputs: workload.dataset === undefined ? `${workload.outputLen} tokens` : 'as the data set says',
    Seed: workload.seed,
    'Service level': level.join(', ') || 'none, so goodput counts all requests',
    'Read with care': isFew
      ? `p99 of fewer than ${MIN_REQUESTS_OF_P99} requests is their maximum; give --num_requests ${MIN_REQUESTS_OF_P99} or more`
      : undefined,
  });
}

function levelOf(ms: number | undefined): Limit | undefined {
  return ms === undefined ? undefined : { value: ms, label: `service level: ${ms} ms` };
}

/** Loads usually double from point to point, so equal factors are equal steps. */
function loadAxis({ points, loadName }: Sweep): Axis {
  return { label: loadName, scale: 'log', ticks: points.map(({ load }) => load) };
}

function linesOf(measures: readonly Measure[], sweep: Sweep, earlier: EarlierSweep | undefined): Line[] {
  const line = ([name, value]: Measure, points: readonly ComparedPoint[], isEarlier: boolean): Line => ({
    name,
    isEarlier,
    points: points.flatMap((point) => {
      const y = value(point);
      const isThere = y !== null && Number.isFinite(y);
      return isThere ? [{ x: point.load, y, label: `${sweep.loadName} ${point.load}` }] : [];
    }),
  });
  return measures.flatMap((measure) => [
    line(measure, sweep.points, false),
    ...(earlier === undefined ? [] : [line(measure, earlier.points, true)]),
  ]);
}

/** Throughput of all against the rate that one user sees: the better a server, the farther up and right its curve. */
function frontier(sweep: Sweep, sloTpotMs: number | undefined, earlier: EarlierSweep | undefined): LineChart {
  const line = (points: readonly ComparedPoint[], isEarlier: boolean): Line => ({
    name: 'loads',
    isEarlier,
    points: points.map((point) => ({
      x: point.report.system_output_throughput_tok_s,
      y: point.report.output_throughput_per_user_tok_s,
      label: `${sweep.loadName} ${point.load}`,
    })),
  });
  return {
    kind: 'lines',
    title: 'Throughput against the speed that a user sees',
    note: 'One point a load; farther up and to the right is better.',
    x: { label: 'output tokens/s of all', scale: 'linear' },
    y: { label: 'output tokens/s of one user', scale: 'linear' },
    lines: [line(sweep.points, false), ...(earlier === undefined ? [] : [line(earlier.points, true)])],
    ...(sloTpotMs === undefined
      ? {}
      : { limit: { value: 1000 / sloTpotMs, label: `service level: ${sloTpotMs} ms per token` } }),
  };
}

function histogram(
  title: string,
  { points, loadName }: Sweep,
  pick: (point: SweepPoint) => Histogram,
  sloMs: number | undefined,
): HistogramChart {
  const limit = levelOf(sloMs);
  return {
    kind: 'histogram',
    title,
    note: `One panel a load: ${loadName}, at the right.`,
    label: 'ms',
    panels: points.map((point) => ({ name: String(point.load), bins: binsOf(pick(point)) })),
    ...(limit === undefined ? {} : { limit }),
  };
}

function loadTable(points: readonly SweepPoint[], loadName: string): Table {
  return {
    caption: 'All loads (times in ms)',
    columns: [
      loadName,
      'output tok/s',
      'tok/s of a user',
      'requests/s',
      'goodput',
      'TTFT p50',
      'TTFT p99',
      'TPOT p50',
      'TPOT p99',
      'ITL p50',
      'ITL p99',
      'whole p50',
      'whole p99',
      'tokens/message',
      'errors',
    ],
    rows: points.map(({ load, report, goodput, errorCount }) =>
      [
        load,
        report.system_output_throughput_tok_s,
        report.output_throughput_per_user_tok_s,
        report.request_throughput_req_s,
        goodput,
        report.ttft_percentiles.p50,
        report.ttft_percentiles.p99,
        report.tpot_percentiles.p50,
        report.tpot_percentiles.p99,
        report.itl_percentiles.p50,
        report.itl_percentiles.p99,
        report.request_latency_percentiles_ms.p50,
        report.request_latency_percentiles_ms.p99,
        report.tokens_per_message,
        errorCount,
      ].map(orNull),
    ),
  };
}

const orNull = (value: number | null): Cell => (Number.isFinite(value) ? value : null);

/** Changes in percent, of the loads that both runs have. */
function changeTable({ points, loadName }: Sweep, earlier: EarlierSweep): Table {
  const measures: readonly Measure[] = [
    OUTPUT_RATE,
    ['goodput', ({ goodput }) => goodput],
    ...FIRST_TOKEN.map(([name, value]): Measure => [`TTFT ${name}`, value]),
    ...OUTPUT_TOKEN.map(([name, value]): Measure => [`TPOT ${name}`, value]),
  ];
  const rows = points.flatMap((point) => {
    const before = earlier.points.find(({ load }) => load === point.load);
    if (before === undefined) return [];
    const changes = measures.map(([, value]) => (value(point) ?? NaN) / (value(before) ?? NaN) - 1);
    return [[point.load, ...changes.map((change) => orNull(100 * change))]];
  });
  return {
    caption: 'Changes since the earlier run, in percent',
    columns: [loadName, ...measures.map(([name]) => name)],
    rows,
  };
}
