/** Runs what first steps would otherwise pay for, before anybody waits for them. */
import { buildStep, type StepRow } from '../../core/build-step.js';
import { GREEDY } from '../../core/sampling.js';
import type { Executor } from './executor.js';

/** Tokens of the prompt where a step of one token does as well: it touches every weight. */
const SHORT_PROMPT = 1;

/**
 * A prompt and one more token of a sequence that nobody asked for; where steps can be prepared (on a GPU), the prompt fills a
 * step and all graphs are captured.
 * The executor must be idle, with its slots free; blocks that the sequence wrote are as free as before.
 */
export async function warmUp(executor: Executor): Promise<void> {
  const { maxStepTokens, maxSequenceTokens, blockCount, blockTokens } = executor.limits;
  const room = Math.min(maxStepTokens, maxSequenceTokens - 1, blockCount * blockTokens - 1);
  const promptTokens = executor.prepareSteps === undefined ? Math.min(SHORT_PROMPT, room) : room;
  if (promptTokens < 1) return;
  const blocks = Array.from({ length: Math.ceil((promptTokens + 1) / blockTokens) }, (_, block) => block);
  const slot = 0;
  const promptTokenIds = new Int32Array(promptTokens);
  executor.attachSlot({
    ...{
      slot,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds,
      outputTokenIds: new Int32Array(0),
    },
  });
  const run = async (row: Omit<StepRow, 'slot' | 'blocks'>): Promise<void> => {
    executor.submit(buildStep([{ slot, blocks, ...row }]));
    await executor.collect();
  };
  await run({ tokenIds: [...promptTokenIds], firstPosition: 0 });
  // Not earlier: a capture should find libraries and kernels loaded.
  executor.prepareSteps?.();
  await run({ tokenIds: [-1], firstPosition: promptTokens });
  executor.detachSlot(slot);
}

/** The executor after {@link warmUp}; disposed of if that fails. */
export async function warmedUp(executor: Executor): Promise<Executor> {
  try {
    await warmUp(executor);
    return executor;
  } catch (fault) {
    await executor.dispose();
    throw fault;
  }
}
