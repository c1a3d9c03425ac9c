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
}

/** Problem key -> winner and its time: the entries of a timing cache. */
export type Timings = Readonly<Record<string, { readonly config: string; readonly microseconds: number }>>;

/** Classes of the rows that the output head can have, whatever a step's tokens. */
const FEW_ROWS = 64;
/** Another configuration must be this much faster than the built-in choice: less is noise. */
const NOISE = 0.02;
/**
 * The same for up to so many rows, with which a layer's kernel overlaps those of its neighbours: built-in choices are the fastest in a
 * row of layers, and what is timed here is a layer by itself.
 */
const NOISE_OF_OVERLAP = 0.06;
const MAX_OVERLAPPING_ROWS = 16;

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
  for (const problem of problems) {
    const key = problemKey(problem);
    const before = known[key];
    if (before !== undefined && parseConfigKey(before.config, timer.libraryVersion) !== undefined) continue;
    const winner = fastest(problem, timer);
    if (winner === undefined) delete timings[key];
    else timings[key] = winner;
  }
  return timings;
}

function fastest(problem: CudaLinearProblem, timer: LinearTimer): Timings[string] | undefined {
  let best: { config: LinearConfig; microseconds: number; score: number } | undefined;
  for (const [index, config] of timer.candidates(problem).entries()) {
    const microseconds = timed(problem, config, timer);
    if (microseconds === undefined) continue;
    const noise = problem.m <= MAX_OVERLAPPING_ROWS ? NOISE_OF_OVERLAP : NOISE;
    const score = microseconds * (index === 0 ? 1 - noise : 1);
    if (best === undefined || score < best.score) best = { config, microseconds, score };
  }
  if (best === undefined) return undefined;
  return { config: configKey(best.config, timer.libraryVersion), microseconds: best.microseconds };
}

/** @throws {AloftError} DEVICE_FAILED that says which configuration broke the device */
function timed(problem: CudaLinearProblem, config: LinearConfig, timer: LinearTimer): number | undefined {
  try {
    return timer.microseconds(problem, config);
  } catch (fault) {
    const subject = `Timing '${configKey(config, timer.libraryVersion)}' for '${problemKey(problem)}' failed`;
    const reason = fault instanceof Error ? fault.message : String(fault);
    throw new AloftError('DEVICE_FAILED', `${subject}: ${reason} Build with --no_tune to do without timing.`);
  }
}
