import { expect, test } from 'vitest';
import type { SlotState, StepInput, StepOutput } from '../../core/step.js';
import type { Executor, ExecutorLimits } from './executor.js';
import { warmUp } from './warm-up.js';

const LIMITS: ExecutorLimits = {
  maxStepTokens: 100,
  maxRows: 4,
  maxLogits: 64,
  blockTokens: 16,
  blockCount: 40,
  hostBlockCount: 0,
  maxSequenceTokens: 512,
  vocabulary: 10,
};

/** Writes down what it is asked to do. */
function recorder(limits: ExecutorLimits, canPrepare: boolean) {
  const log: string[] = [];
  const executor: Executor = {
    limits,
    memory: {
      totalBytes: 0,
      weightBytes: 0,
      workspaceBytes: 0,
      kvBytes: 0,
      kvBytesPerToken: 0,
      hostKvBytes: 0,
    },
    ...(canPrepare ? { prepareSteps: () => void log.push('prepare') } : {}),
    attachSlot: ({ slot }: SlotState) => void log.push(`attach ${slot}`),
    detachSlot: (slot) => void log.push(`detach ${slot}`),
    submit({ tokenCount, contextLengths, maxBlocksPerSequence, blockTables }: StepInput) {
      expect(Math.max(...blockTables)).toBeLessThan(limits.blockCount);
      log.push(`step ${tokenCount} of ${contextLengths[0]} in ${maxBlocksPerSequence}`);
    },
    supplyMasks: () => undefined,
    collect: () => Promise.resolve({} as StepOutput),
    dispose: () => Promise.resolve(),
  };
  return { executor, log };
}

test('on a CPU one token touches the weights', async () => {
  const { executor, log } = recorder(LIMITS, false);
  await warmUp(executor);
  expect(log).toEqual(['attach 0', 'step 1 of 1 in 1', 'step 1 of 2 in 1', 'detach 0']);
});

test.each([
  [LIMITS, 100, 7],
  [{ ...LIMITS, maxStepTokens: 9999 }, 511, 32],
  [{ ...LIMITS, maxStepTokens: 9999, blockCount: 4 }, 63, 4],
])(
  'where graphs can be captured, the prompt fills a step, and they are captured after it',
  async (limits, tokens, blocks) => {
    const { executor, log } = recorder(limits, true);
    await warmUp(executor);
    const prompt = `step ${tokens} of ${tokens} in ${blocks}`;
    const next = `step 1 of ${tokens + 1} in ${blocks}`;
    expect(log).toEqual(['attach 0', prompt, 'prepare', next, 'detach 0']);
  },
);
