import { expect, test } from 'vitest';
import { buildStep } from '../../core/build-step.js';
import { GREEDY } from '../../core/sampling.js';
import {
  attachmentOf,
  followedSlot,
  isAttached,
  readStep,
  type SlotChange,
  stepParts,
} from './step-message.js';

const STATE = {
  slot: 3,
  sampling: { ...GREEDY, logprobs: 4, temperature: 0.7 },
  isBeam: true,
  endIds: [2],
  promptTokenIds: Int32Array.of(9, 8, 7),
  outputTokenIds: Int32Array.of(6, 5),
};

function sent(changes: readonly SlotChange[]): readonly SlotChange[] {
  const step = buildStep([{ slot: 3, tokenIds: [-1], firstPosition: 4, blocks: [1, 2] }], { stepId: 77 });
  const parts = stepParts(step, step.tokenIds, changes);
  const read = readStep(Int32Array.from(parts.flatMap((part) => [...part])));
  expect(read.step).toEqual({ ...step, returnLogits: false });
  return read.changes;
}

test('a step arrives with changes of slots', () => {
  const changes = [attachmentOf(STATE), { slot: 1, promptTokens: undefined }];
  expect(sent(changes)).toEqual(changes);
  expect(sent([])).toEqual([]);
});

test('a rank that does not sample knows of a slot what decides how steps are launched and fed', () => {
  const [change] = sent([attachmentOf(STATE)]);
  expect(change && isAttached(change) && followedSlot(change)).toEqual({
    slot: 3,
    sampling: { ...GREEDY, logprobs: 4 },
    isBeam: false,
    endIds: [],
    promptTokenIds: new Int32Array(3),
    outputTokenIds: Int32Array.of(5),
  });
  const fresh = { ...STATE, sampling: GREEDY, outputTokenIds: new Int32Array(0) };
  expect(followedSlot(sent([attachmentOf(fresh)])[0] as never)).toMatchObject({
    sampling: GREEDY,
    outputTokenIds: new Int32Array(0),
  });
});
