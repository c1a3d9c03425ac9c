/** The part of the conformance suite about what an executor refuses, and about what it survives. */
import { expect, it } from 'vitest';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import type { SamplingParams } from '../../../core/sampling.js';
import type { StepInput } from '../../../core/step.js';
import {
  BLOCK_TOKENS,
  type Driver,
  LIMITS,
  logitsOf,
  range,
  tokens,
  type WithDriver,
} from './conformance-driver.js';

const REFUSED = /Broken invariant/;

/** Number of times that a slot is attached. */
export function describeAttachment(withDriver: WithDriver): void {
  it(
    'are attached once, until they are detached',
    withDriver((driver) => {
      driver.attach(1);
      expect(() => driver.attach(1)).toThrowError(REFUSED);
      driver.executor.detachSlot(1);
      driver.attach(1);
      return Promise.resolve();
    }),
  );
}

/** Slots that no executor takes. */
export function describeSlots(withDriver: WithDriver): void {
  describeAttachment(withDriver);

  const faulty: readonly (readonly [string, number, Parameters<Driver['attach']>[1]])[] = [
    ['a slot beyond the rows', LIMITS.maxRows, {}],
    ['a negative slot', -1, {}],
    ['more tokens than a sequence has', 0, { prompt: range(300).fill(1), output: range(21).fill(1) }],
    ['a prompt beyond the vocabulary', 0, { prompt: [100_000] }],
    ['a negative token of the output', 0, { output: [-1] }],
    ['an end beyond the vocabulary', 0, { endIds: [100_000] }],
    ['a bias beyond the vocabulary', 0, { sampling: { logitBias: new Map([[100_000, 1]]) } }],
    ['a bad word beyond the vocabulary', 0, { sampling: { badWords: [[1, 100_000]] } }],
  ];
  it.each(faulty)('are not attached with %s', async (_, slot, state) => {
    await withDriver((driver) => {
      expect(() => driver.attach(slot, state)).toThrowError(REFUSED);
      return Promise.resolve();
    })();
  });
}

const ROW: StepRow = { slot: 0, tokenIds: [1, 2], firstPosition: 0, blocks: [0] };
const LAST = LIMITS.maxSequenceTokens - 1;
const FAULTY: readonly (readonly [string, StepInput])[] = [
  ['an unknown slot', buildStep([{ ...ROW, slot: 3 }])],
  ['a token id beyond the vocabulary', buildStep([{ ...ROW, tokenIds: [1, 100_000] }])],
  ['a negative token id', buildStep([{ ...ROW, tokenIds: [1, -2] }])],
  ['a block beyond the pool', buildStep([{ ...ROW, blocks: [LIMITS.blockCount] }])],
  ['a negative block', buildStep([{ ...ROW, blocks: [-7] }])],
  ['a missing block', buildStep([{ ...ROW, firstPosition: BLOCK_TOKENS - 1 }])],
  ['a gap between positions', { ...buildStep([ROW]), positions: Int32Array.of(0, 2) }],
  ['a position beyond a sequence', buildStep([{ ...ROW, firstPosition: LAST, blocks: range(41) }])],
  ['feedback before a first sample', buildStep([{ ...ROW, tokenIds: [-1] }])],
  ['a target beyond the vocabulary', buildStep([{ ...ROW, wanted: [{ index: 1, target: 100_000 }] }])],
  ['logits of a token of another row', { ...buildStep([ROW]), logitTokens: Int32Array.of(2) }],
  ['a mask that is not there', { ...buildStep([ROW]), logitMasks: Int32Array.of(0) }],
  ['masks that are too short', { ...buildStep([ROW]), maskCount: 1, masks: Int32Array.of(-1) }],
  ['rows that leave out tokens', { ...buildStep([ROW]), rowOffsets: Int32Array.of(1, 2) }],
  ['too many tokens', buildStep([{ ...ROW, tokenIds: range(LIMITS.maxStepTokens + 1), blocks: range(20) }])],
  [
    'a host block beyond the tier',
    buildStep([ROW], { blocksToHost: Int32Array.of(0, LIMITS.hostBlockCount) }),
  ],
  ['a load from a negative host block', buildStep([ROW], { blocksFromHost: Int32Array.of(0, -1) })],
  ['a copy beyond the pool', buildStep([ROW], { blockCopies: Int32Array.of(0, LIMITS.blockCount) })],
];

/** Steps that no executor runs, and rows that have no result. */
export function describeFaults(withDriver: WithDriver): void {
  it.each(FAULTY)('refuses %s, and goes on', async (_, step) => {
    await withDriver(async (driver) => {
      driver.attach(0);
      const { logits } = await driver.step([ROW], { returnLogits: true });
      driver.executor.detachSlot(0);
      driver.attach(0);
      expect(() => driver.executor.submit(step)).toThrowError(REFUSED);
      expect((await driver.step([ROW], { returnLogits: true })).logits).toEqual(logits);
    })();
  });

  const NAN_TOKEN = 100; // tokens() gives none of them
  const PROMPT = tokens(9, 4);
  const PENALTIES: Partial<SamplingParams> = { repetitionPenalty: 1.2, frequencyPenalty: 0.1, logprobs: 2 };
  const BROKEN: StepRow = { slot: 0, tokenIds: [...PROMPT, NAN_TOKEN], firstPosition: 0, blocks: [4, 5] };
  const SOUND: StepRow = { slot: 1, tokenIds: PROMPT, firstPosition: 0, blocks: [6, 7] };
  it(
    'samples token -1 in a row without a finite logit, and its neighbours and successors as without it',
    withDriver(
      async (driver) => {
        driver.attach(1, { prompt: PROMPT });
        const alone = await driver.step([SOUND], { returnLogits: true });
        driver.attach(0, { prompt: [...BROKEN.tokenIds], sampling: PENALTIES });
        const both = await driver.step([BROKEN, SOUND], { returnLogits: true });
        const sound = logitsOf(both, 1);
        expect([...both.tokenIds]).toEqual([-1, sound.indexOf(Math.max(...sound))]);
        expect([...both.topTokenIds.subarray(0, 2)]).toEqual([-1, -1]);
        driver.expectSame(sound, alone.logits!);
        // The overlapped form submits the next step before it knows, so the row must be able to go on.
        await driver.step([
          { slot: 0, tokenIds: [-1], firstPosition: BROKEN.tokenIds.length, blocks: [4, 5] },
        ]);
        // A sequence that gets the blocks next finds what the row left behind its own tokens.
        for (const lengths of [[9], [8, 1]]) {
          const reused = await driver.logits(PROMPT, lengths, [4, 5]);
          expect(reused).toEqual(await driver.logits(PROMPT, lengths, [6, 7]));
        }
      },
      { nanTokenId: NAN_TOKEN },
    ),
  );
}
