/** Runs one static batch on an executor and keeps what each step cost: all of the prompt, then every decode step. */
import { buildStep, type StepRow } from '../../core/build-step.js';
import { AloftError } from '../../core/errors.js';
import { seededRandom } from '../../core/random.js';
import { GREEDY } from '../../core/sampling.js';
import type { StepInput } from '../../core/step.js';
import type { Executor } from '../../run/executor/executor.js';
import type { TimedCall } from '../../run/executor/opening/timed-call.js';
import type { SweepCase } from '../bench/sweep.js';

export interface ProfiledStep {
  readonly phase: 'prefill' | 'decode';
  readonly step: StepInput;
  /** When it was submitted, by `performance.now()`. */
  readonly submittedMs: number;
  readonly deviceMs: number;
  readonly calls: readonly TimedCall[];
  /** Times of the other ranks' ops, in order; see {@link Executor.takeRankTimes}. */
  readonly others: readonly Float32Array[];
}

/** The executor, and the calls of the step that it ran last. */
export interface ProfileSubject {
  readonly executor: Executor;
  /** Hands over the calls heard since it was asked before. */
  readonly takeCalls: () => readonly TimedCall[];
  /** Ops of the plan. */
  readonly opCount: number;
}

/** Rows of each step, in the order in which they run. Prompts are cut into steps of at most `maxStepTokens`. */
interface Batch {
  readonly prefill: readonly (readonly StepRow[])[];
  readonly decode: readonly (readonly StepRow[])[];
  readonly prompts: readonly Int32Array[];
}

/** Needs a case that {@link checkFits} has passed. */
export async function profileSteps(subject: ProfileSubject, work: SweepCase): Promise<ProfiledStep[]> {
  const { executor } = subject;
  const batch = createBatch(executor, work);
  batch.prompts.forEach((promptTokenIds, slot) =>
    executor.attachSlot({
      slot,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds,
      outputTokenIds: new Int32Array(0),
    }),
  );
  let stepId = 0;
  const run = async (phase: ProfiledStep['phase'], rows: readonly StepRow[]): Promise<ProfiledStep> => {
    const step = buildStep(rows, { stepId: stepId++ });
    const submittedMs = performance.now();
    executor.submit(step);
    const { deviceMs } = await executor.collect();
    const others = executor.takeRankTimes?.(subject.opCount + 1) ?? [];
    return { phase, step, submittedMs, deviceMs, calls: subject.takeCalls(), others };
  };
  // The first steps load code and touch weights; nobody wants to know their times.
  for (const rows of batch.prefill) await run('prefill', rows);
  if (batch.decode[0] !== undefined) await run('decode', batch.decode[0]);
  const steps: ProfiledStep[] = [];
  for (const rows of batch.prefill) steps.push(await run('prefill', rows));
  for (const rows of batch.decode) steps.push(await run('decode', rows));
  batch.prompts.forEach((_, slot) => executor.detachSlot(slot));
  return steps;
}

/** @throws {AloftError} USAGE, OUT_OF_MEMORY when the executor cannot take the batch */
export function checkFits({ limits }: Executor, { batch, inputTokens, outputTokens }: SweepCase): void {
  const tokens = inputTokens + outputTokens;
  if (batch > limits.maxRows || tokens > limits.maxSequenceTokens)
    throw new AloftError(
      'USAGE',
      `The engine takes ${limits.maxRows} sequences of ${limits.maxSequenceTokens} tokens, not ${batch} of ${tokens}; give smaller --batch_size or --input_output_len.`,
    );
  const blocks = batch * Math.ceil(tokens / limits.blockTokens);
  if (blocks > limits.blockCount)
    throw new AloftError(
      'OUT_OF_MEMORY',
      `${batch} sequences of ${tokens} tokens need ${blocks} KV blocks, and there are ${limits.blockCount}; give smaller --batch_size or --input_output_len.`,
    );
}

function createBatch({ limits }: Executor, { batch, inputTokens, outputTokens }: SweepCase): Batch {
  const random = seededRandom(1);
  const blocksEach = Math.ceil((inputTokens + outputTokens) / limits.blockTokens);
  const blocksOf = (slot: number) => Array.from({ length: blocksEach }, (_, i) => slot * blocksEach + i);
  const prompts = Array.from({ length: batch }, () =>
    Int32Array.from({ length: inputTokens }, () => Math.floor(random.next() * limits.vocabulary)),
  );
  const prefill: StepRow[][] = [[]];
  let room = limits.maxStepTokens;
  for (const [slot, prompt] of prompts.entries())
    for (let cached = 0; cached < inputTokens;) {
      if (room === 0) {
        prefill.push([]);
        room = limits.maxStepTokens;
      }
      const end = Math.min(inputTokens, cached + room);
      const tokenIds = Array.from(prompt.subarray(cached, end));
      // A chunk that does not end the prompt needs no token.
      const wanted = end < inputTokens ? { wanted: [] } : {};
      prefill.at(-1)!.push({ slot, tokenIds, firstPosition: cached, blocks: blocksOf(slot), ...wanted });
      room -= end - cached;
      cached = end;
    }
  const decode = Array.from({ length: outputTokens - 1 }, (_, n) =>
    prompts.map((__, slot) => ({
      slot,
      tokenIds: [-1],
      firstPosition: inputTokens + n,
      blocks: blocksOf(slot),
    })),
  );
  return { prefill, decode, prompts };
}
