/** The report of a sweep of static batches. Pure. */
import { type Static, Type } from 'typebox';
import { MACHINE } from '../report/earlier-result.js';
import { knownFacts, machineFacts } from '../report/facts.js';
import type { Cell, Line, LineChart, Report, Table } from '../report/report.js';
import type { MachineRecord } from './machine.js';

const NUMBER_OR_WORD = Type.Union([Type.Number(), Type.String()]);

/** A row as `--json` has it: a number, `OOM`, or `none` for a time that no step had. */
const ROW = Type.Object({
  batch_size: Type.Number(),
  input_length: Type.Number(),
  output_length: Type.Number(),
  tokens_per_sec: NUMBER_OR_WORD,
  'first_token(ms)': NUMBER_OR_WORD,
  'decode_step(ms)': NUMBER_OR_WORD,
});
export const EARLIER_STATIC = Type.Object({ machine: MACHINE, rows: Type.Array(ROW) });
export type EarlierStatic = Static<typeof EARLIER_STATIC>;
type Row = Static<typeof ROW>;

export interface StaticResult {
  readonly machine: MachineRecord;
  readonly partial: boolean;
  readonly rows: readonly (Row & Readonly<Record<string, number | string>>)[];
}

export interface StaticWorkload {
  readonly modelName: string;
  readonly precision: string;
  readonly quantisation: string;
  readonly warmUp: number;
  readonly numRuns: number;
  readonly duration: number;
}

type Measure = (row: Row) => number;

const tokensPerSecond: Measure = (row) => Number(row.tokens_per_sec);

export function staticPage(result: StaticResult, workload: StaticWorkload, earlier?: EarlierStatic): Report {
  const { rows, machine } = result;
  const chart = (title: string, unit: string, measure: Measure): LineChart => ({
    kind: 'lines',
    title,
    x: {
      label: 'batch size',
      scale: 'log',
      ticks: [...new Set(rows.map(({ batch_size: size }) => size))].toSorted((a, b) => a - b),
    },
    y: { label: unit, scale: 'linear' },
    lines: linesOf(rows, earlier, ({ batch_size: size }) => size, measure),
  });
  return {
    title: `Static batches of ${workload.modelName}`,
    ...(result.partial ? { partial: 'Stopped before its end: the cases after these are missing.' } : {}),
    facts: [
      knownFacts('Workload', {
        Model: workload.modelName,
        Precision: workload.precision,
        Quantisation: workload.quantisation,
        Runs: `at least ${workload.numRuns} and ${workload.duration} s a case, after ${workload.warmUp} that are not measured`,
      }),
      machineFacts('Machine', machine),
      ...(earlier === undefined ? [] : [machineFacts('Earlier run', earlier.machine)]),
    ],
    charts: [
      {
        kind: 'lines',
        title: 'Throughput against the speed that a user sees',
        note: 'One line a pair of lengths, one point a batch size; farther up and to the right is better.',
        x: { label: 'output tokens/s of the batch', scale: 'linear' },
        y: { label: 'output tokens/s of one sequence', scale: 'linear' },
        lines: linesOf(rows, earlier, tokensPerSecond, (row) => tokensPerSecond(row) / row.batch_size),
      },
      chart('Throughput', 'output tokens/s', tokensPerSecond),
      chart('Time to first token', 'ms', (row) => Number(row['first_token(ms)'])),
      chart('Decode step on the device', 'ms', (row) => Number(row['decode_step(ms)'])),
    ],
    tables: [caseTable(result, earlier)],
  };
}

/** A line for each pair of lengths; cases without a value, such as those that do not fit, have no point. */
function linesOf(
  rows: readonly Row[],
  earlier: EarlierStatic | undefined,
  x: Measure,
  y: Measure,
): readonly Line[] {
  const line = (pair: string, own: readonly Row[], isEarlier: boolean): Line => ({
    name: pair,
    isEarlier,
    points: own
      .filter((row) => pairOf(row) === pair && Number.isFinite(x(row)) && Number.isFinite(y(row)))
      .map((row) => ({ x: x(row), y: y(row), label: `batch ${row.batch_size}` })),
  });
  const pairs = [...new Set(rows.map(pairOf))];
  return pairs.flatMap((pair) => [
    line(pair, rows, false),
    ...(earlier === undefined ? [] : [line(pair, earlier.rows, true)]),
  ]);
}

const pairOf = ({ input_length: input, output_length: output }: Row): string => `${input} in, ${output} out`;

function caseTable({ rows }: StaticResult, earlier: EarlierStatic | undefined): Table {
  const changeOf = (row: Row): Cell => {
    const before = earlier?.rows.find(
      (one) => pairOf(one) === pairOf(row) && one.batch_size === row.batch_size,
    );
    const change = 100 * (tokensPerSecond(row) / (before === undefined ? NaN : tokensPerSecond(before)) - 1);
    return Number.isFinite(change) ? change : null;
  };
  const names = [
    'input_length',
    'output_length',
    'batch_size',
    'tokens_per_sec',
    'latency(ms)',
    'percentile95(ms)',
    'percentile99(ms)',
    'first_token(ms)',
    'decode_step(ms)',
    'host_time(us)',
    'exposed_host_time(us)',
    'gpu_peak_mem(gb)',
    'runs',
    'wanted_bytes',
    'available_bytes',
  ].filter((name) => rows.some((row) => row[name] !== undefined));
  return {
    caption: 'All cases',
    columns: [...names, ...(earlier === undefined ? [] : ['tokens_per_sec, change in %'])],
    rows: rows.map((row) => [
      ...names.map((name): Cell => row[name] ?? null),
      ...(earlier === undefined ? [] : [changeOf(row)]),
    ]),
  };
}
