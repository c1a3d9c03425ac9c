/** Results of a profile as table, JSON and page: time of each op, and the least that the device allows. Pure. */
import { type Static, Type } from 'typebox';
import type { MachineRecord } from '../bench/machine.js';
import { MACHINE } from '../report/earlier-result.js';
import { knownFacts, machineFacts } from '../report/facts.js';
import type { BarChart, Cell, Report, Table } from '../report/report.js';
import { formatTable } from '../cli/terminal.js';
import type { OpSummary } from './op-summary.js';
import type { RankSummary } from './rank-summary.js';

/** One phase of one case. All sums are over `stepCount` steps. */
export interface ProfiledPhase {
  /** `batch 4, 128 + 16 tokens`. */
  readonly caseName: string;
  readonly phase: 'prefill' | 'decode';
  readonly stepCount: number;
  readonly stepMs: number;
  readonly ops: readonly OpSummary[];
  /** Those of each rank where there are several; else none. */
  readonly ranks: readonly RankSummary[];
}

export interface ProfileResult {
  readonly machine: MachineRecord;
  /** Sentence with the measured limits of the device. */
  readonly limits: string;
  readonly engine: string;
  readonly phases: readonly ProfiledPhase[];
}

/** The result without sets, which JSON does not have. */
export function plainResult(result: ProfileResult): object {
  const phases = result.phases.map((phase) => ({
    ...phase,
    ops: phase.ops.map((op) => ({ ...op, kernels: [...op.kernels] })),
  }));
  return { ...result, phases };
}

/** Times are of a step. What the device spent between calls is a row of its own. */
export function summaryTable({ phase, stepCount, stepMs, ops, ranks }: ProfiledPhase): string {
  const callMs = ops.reduce((sum, { ms }) => sum + ms, 0);
  const ofStep = (ms: number): readonly string[] => [
    (ms / stepCount).toFixed(3),
    `${((100 * ms) / stepMs).toFixed(1)}%`,
  ];
  const rows = ops.map(({ name, kernels, opCount, ms, cost, limitMs: least }) => [
    name,
    String(Math.round(opCount / stepCount)),
    ...ofStep(ms),
    (cost.bytes / stepCount / 1e6).toFixed(2),
    (cost.bytes / ms / 1e6).toFixed(1),
    (cost.flops / ms / 1e9).toFixed(3),
    `${((100 * least) / ms).toFixed(0)}%`,
    [...kernels].join(' + '),
  ]);
  const leastMs = ops.reduce((sum, op) => sum + op.limitMs, 0);
  const total = [
    'whole step',
    '',
    ...ofStep(stepMs),
    '',
    '',
    '',
    `${((100 * leastMs) / stepMs).toFixed(0)}%`,
  ];
  const header = ['op', 'calls', 'ms', 'share', 'MB', 'GB/s', 'TFLOP/s', 'of limit', 'kernels'];
  return [
    `${phase}: ${(stepMs / stepCount).toFixed(3)} ms a step, mean of ${stepCount}`,
    formatTable([header, ...rows, ['between calls', '', ...ofStep(stepMs - callMs)], total]),
    ...(ranks.length === 0 ? [] : ['', rankTable(ranks, stepCount)]),
  ].join('\n');
}

/** Exchanges are waits, too: the rank that computes longest exchanges shortest. */
function rankTable(ranks: readonly RankSummary[], stepCount: number): string {
  const rows = ranks.map(({ rank, computeMs, exchangeMs }) => [
    String(rank),
    (computeMs / stepCount).toFixed(3),
    (exchangeMs / stepCount).toFixed(3),
  ]);
  return formatTable([['rank', 'computes, ms', 'exchanges, ms'], ...rows]);
}

const EARLIER_OP = Type.Object({ name: Type.String(), ms: Type.Number() });

/** The part of an earlier result that is compared. */
export const EARLIER_PROFILE = Type.Object({
  machine: MACHINE,
  phases: Type.Array(
    Type.Object({
      caseName: Type.String(),
      phase: Type.String(),
      stepCount: Type.Number(),
      stepMs: Type.Number(),
      ops: Type.Array(EARLIER_OP),
    }),
  ),
});
export type EarlierProfile = Static<typeof EARLIER_PROFILE>;

const MAX_BARS = 14;

export function profilePage(
  { machine, limits, engine, phases }: ProfileResult,
  earlier?: EarlierProfile,
): Report {
  return {
    title: `Profile of ${engine}`,
    facts: [
      knownFacts('Workload', { Engine: engine, Limits: limits }),
      machineFacts('Machine', machine),
      ...(earlier === undefined ? [] : [machineFacts('Earlier run', earlier.machine)]),
    ],
    charts: phases.map(barsOf),
    tables: phases.flatMap((phase) => [
      tableOf(phase, earlier),
      ...(phase.ranks.length === 0 ? [] : [ranksOf(phase)]),
    ]),
  };
}

function barsOf(phase: ProfiledPhase): BarChart {
  const { stepCount, ops } = phase;
  return {
    kind: 'bars',
    title: titleOf(phase),
    note: `${(phase.stepMs / stepCount).toFixed(3)} ms a step. The dark part of a bar is the least time that the device's measured limits allow.`,
    label: 'ms a step',
    bars: ops.slice(0, MAX_BARS).map(({ name, ms, limitMs, opCount, kernels }) => ({
      name,
      value: ms / stepCount,
      least: Math.min(ms, limitMs) / stepCount,
      text: `${(ms / stepCount).toFixed(3)} ms, ${((100 * ms) / phase.stepMs).toFixed(1)} % of the step\n${((100 * limitMs) / ms).toFixed(0)} % of the limit\n${Math.round(opCount / stepCount)} calls: ${[...kernels].join(', ')}`,
    })),
  };
}

/** A row an op; compared with the same op of the same phase and case. */
function tableOf(phase: ProfiledPhase, earlier: EarlierProfile | undefined): Table {
  const { stepCount, stepMs, ops } = phase;
  const before = earlier?.phases.find((one) => titleOf(one) === titleOf(phase));
  const compared = (name: string, ms: number): Cell[] => {
    if (earlier === undefined) return [];
    const sumMs = before?.ops.find((op) => op.name === name)?.ms;
    if (before === undefined || sumMs === undefined) return [null, null];
    const earlierMs = sumMs / before.stepCount;
    return [earlierMs, 100 * (ms / earlierMs - 1)];
  };
  return {
    caption: titleOf(phase),
    columns: [
      ...['op', 'calls', 'ms', 'share, %', 'MB', 'GB/s', 'TFLOP/s', 'of limit, %', 'kernels'],
      ...(earlier === undefined ? [] : ['ms earlier', 'change, %']),
    ],
    rows: ops.map(({ name, kernels, opCount, ms, cost, limitMs }): Cell[] => [
      name,
      Math.round(opCount / stepCount),
      ms / stepCount,
      (100 * ms) / stepMs,
      cost.bytes / stepCount / 1e6,
      cost.bytes / ms / 1e6,
      cost.flops / ms / 1e9,
      (100 * limitMs) / ms,
      [...kernels].join(' + '),
      ...compared(name, ms / stepCount),
    ]),
  };
}

function ranksOf(phase: ProfiledPhase): Table {
  const { ranks, stepCount } = phase;
  return {
    caption: `${titleOf(phase)}, by rank`,
    columns: ['rank', 'computes, ms', 'exchanges, ms'],
    rows: ranks.map(({ rank, computeMs, exchangeMs }): Cell[] => [
      rank,
      computeMs / stepCount,
      exchangeMs / stepCount,
    ]),
  };
}

const titleOf = ({ caseName, phase }: { readonly caseName: string; readonly phase: string }): string =>
  `${caseName}: ${phase}`;
