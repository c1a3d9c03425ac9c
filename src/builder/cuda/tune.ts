/** Which linear problems a plan poses, and the choice of the fastest configuration for each. A {@link LinearTimer} measures. */
import { AloftError } from '../../core/errors.js';
import type { CudaTarget } from '../../ops/cuda/capability.js';
import { lowerForCuda } from '../../ops/cuda/lower.js';
import { chooseLinear } from '../../ops/linear/cuda/choose.js';
import { configKey, parseConfigKey, problemKey } from '../../ops/linear/cuda/keys.js';
import type { LinearConfig } from '../../ops/linear/cuda/methods.js';
import { solveLinear } from '../../ops/linear/cuda/op.js';
import type { CudaLinearProblem } from '../../ops/linear/cuda/problem.js';
import { ROW_CLASSES, rowClass } from '../../ops/linear/cuda/row-classes.js';
import type { Plan } from '../../plan/plan.js';

/** Measures configurations on a device. */
export interface LinearTimer {
  /** Version of cuBLASLt. */
  readonly libraryVersion: number;
  /** Everything worth trying, the built-in choice first. */
  candidates(problem: CudaLinearProblem): readonly LinearConfig[];
  /** Time of one call, or undefined when its result is not the first candidate's. */
  microseconds(problem: CudaLinearProblem, config: LinearConfig): number | undefined;
  /** Time of one call of each, one after the other as in a step. */
  microsecondsInRow(row: readonly LinearCall[]): number;
}

export interface LinearCall {
  readonly problem: CudaLinearProblem;
  readonly config: LinearConfig;
}

/** Problem key -> winner and its time: the entries of a timing cache. */
export type Timings = Readonly<Record<string, { readonly config: string; readonly microseconds: number }>>;

/** Classes of the rows that the output head can have, whatever a step's tokens. */
const FEW_ROWS = 64;
/** Another configuration must be this much faster than the built-in choice: less is noise. */
const NOISE = 0.02;
/** The same for a row of layers against the one before it. */
const NOISE_OF_ROW = 0.005;
/**
 * A row must gain this much in the end. It lacks what a step has between its layers, attention above all, beside which dense's blocks
 * wait: rows that gained 2 to 5% made steps no faster, and some slower (docs/performance.md).
 */
const LEAST_GAIN_OF_ROW = 0.05;
/**
 * With up to so many rows a layer's kernel overlaps those of its neighbours, so that layers are timed in a row: what is fastest by
 * itself made a stream of INT4 9% slower (docs/performance.md).
 */
const MAX_OVERLAPPING_ROWS = 16;
/** Times that each layer of a row is tried: what is best for it depends on the others. */
const TURNS = 2;

/** Every linear problem that the tuner times: each class of rows up to a step's tokens. */
export function linearProblems(plan: Plan, target: CudaTarget, maxStepTokens: number): CudaLinearProblem[] {
  const { inferred, ops } = lowerForCuda(plan);
  const problems = new Map<string, CudaLinearProblem>();
  for (const op of ops) {
    if (op.kind !== 'linear') continue;
    const { rows } = inferred.operands[op.index]!.get(op.x)!;
    for (const m of rowCounts(rows === 'tokens' ? maxStepTokens : FEW_ROWS)) {
      const { problem } = solveLinear(op, plan, m, (posed) => chooseLinear(posed, target));
      problems.set(problemKey(problem), problem);
    }
  }
  return [...problems.values()];
}

const rowCounts = (maxRows: number): readonly number[] =>
  ROW_CLASSES.filter((rows) => rows <= Math.max(FEW_ROWS, rowClass(maxRows)));

/** The winners of `known` that this device can run, and those of the problems that `known` lacks, measured now. */
export function tuneLinears(
  problems: readonly CudaLinearProblem[],
  known: Timings,
  timer: LinearTimer,
): Timings {
  const timings: Record<string, Timings[string]> = { ...known };
  const tuned: Tuned[] = problems.map((problem) => {
    const before = known[problemKey(problem)];
    const config = before && parseConfigKey(before.config, timer.libraryVersion);
    if (config !== undefined) return { problem, config, tried: [] };
    const [builtIn, ...others] = timer.candidates(problem);
    const tried = [builtIn!, ...others].flatMap((candidate) => {
      const microseconds = timed(problem, candidate, timer);
      return microseconds === undefined ? [] : [{ config: candidate, microseconds }];
    });
    return { problem, config: fastest(tried, builtIn), tried };
  });
  for (const rows of ROW_CLASSES.filter((most) => most <= MAX_OVERLAPPING_ROWS))
    tuneRow(
      tuned.filter(({ problem }) => problem.m === rows && problem.epilogue !== 'f32'),
      timer,
    );
  for (const { problem, config, tried } of tuned) {
    const key = problemKey(problem);
    const winner = tried.find((one) => one.config === config);
    if (config === undefined) delete timings[key];
    else if (winner !== undefined)
      timings[key] = {
        config: configKey(config, timer.libraryVersion),
        microseconds: winner.microseconds,
      };
  }
  return timings;
}

/** A problem with its configuration so far, and those that solve it with their times; none where it was known. */
interface Tuned {
  readonly problem: CudaLinearProblem;
  config: LinearConfig | undefined;
  readonly tried: readonly { readonly config: LinearConfig; readonly microseconds: number }[];
}

function fastest(tried: Tuned['tried'], builtIn: LinearConfig | undefined): LinearConfig | undefined {
  const score = ({ config, microseconds }: Tuned['tried'][number]): number =>
    config === builtIn ? microseconds * (1 - NOISE) : microseconds;
  return tried.toSorted((a, b) => score(a) - score(b))[0]?.config;
}

/**
 * Gives one layer of a row after the other the configuration with which the row takes the least time, from the built-in ones on.
 * These stay if the row gains too little in the end: many small gains can be luck as many times.
 */
function tuneRow(layers: readonly Tuned[], timer: LinearTimer): void {
  const row = layers.filter(({ tried }) => tried.length > 0);
  const builtIn = row.map(({ tried }) => tried[0]!.config);
  const choose = (configs: readonly LinearConfig[]): void => {
    for (const [index, layer] of row.entries()) layer.config = configs[index]!;
  };
  const timeOf = (configs: readonly LinearConfig[]): number => {
    choose(configs);
    return rowMicroseconds(row, timer);
  };
  if (row.length === 0) return;
  let least = timeOf(builtIn);
  for (let turn = 0; turn < TURNS; turn++)
    for (const layer of row)
      for (const { config } of layer.tried) {
        const before = layer.config;
        if (config === before) continue;
        layer.config = config;
        const microseconds = rowMicroseconds(row, timer);
        if (microseconds < least * (1 - NOISE_OF_ROW)) least = microseconds;
        else layer.config = before;
      }
  const chosen = row.map(({ config }) => config!);
  const [withBuiltIn, withChosen] = [timeOf(builtIn), timeOf(chosen)];
  if (withChosen >= withBuiltIn * (1 - LEAST_GAIN_OF_ROW)) choose(builtIn);
}

/** Time of a row with the fewest and with the most rows of its class together. */
function rowMicroseconds(row: readonly Tuned[], timer: LinearTimer): number {
  const most = row[0]!.problem.m;
  const fewest = (ROW_CLASSES[ROW_CLASSES.indexOf(most) - 1] ?? 0) + 1;
  const withRows = (m: number): number =>
    timedInRow(
      row.map(({ problem, config }) => ({ problem: { ...problem, m }, config: config! })),
      timer,
    );
  return withRows(fewest) + withRows(most);
}

function timed(problem: CudaLinearProblem, config: LinearConfig, timer: LinearTimer): number | undefined {
  return explained([{ problem, config }], timer, () => timer.microseconds(problem, config));
}

function timedInRow(row: readonly LinearCall[], timer: LinearTimer): number {
  return explained(row, timer, () => timer.microsecondsInRow(row));
}

/** @throws {AloftError} DEVICE_FAILED that says which configurations broke the device */
function explained<T>(calls: readonly LinearCall[], timer: LinearTimer, time: () => T): T {
  try {
    return time();
  } catch (fault) {
    const subjects = calls.map(
      ({ problem, config }) => `'${configKey(config, timer.libraryVersion)}' for '${problemKey(problem)}'`,
    );
    const reason = fault instanceof Error ? fault.message : String(fault);
    throw new AloftError(
      'DEVICE_FAILED',
      `Timing ${subjects.join(', then ')} failed: ${reason} Build with --no_tune to do without timing.`,
    );
  }
}
