/** Contract of every executor as a test suite: run it with a factory for each implementation and kind of weights. */
import { describe, expect, it } from 'vitest';
import { GREEDY } from '../../../core/sampling.js';
import { sampleReference } from '../../../ops/sample/reference.js';
import { describeBeams } from './conformance-beams.js';
import {
  closeTo,
  type Driver,
  everyToken,
  type Generated,
  interleaved,
  logitsOf,
  logProbabilitiesOf,
  range,
  type Subject,
  tokens,
  type WithDriver,
  withDriverOf,
} from './conformance-driver.js';
import { describeFaults, describeSlots } from './conformance-faults.js';
import { describeLateMasks } from './conformance-late-masks.js';
import { describeMasks } from './conformance-masks.js';

/** @param name of the executor and its weights */
export function describeExecutor(name: string, subject: Subject): void {
  const withDriver = withDriverOf(subject);
  describe(`${name}: sequences`, () => describeSequences(withDriver));
  describe(`${name}: blocks`, () => describeBlocks(withDriver));
  describe(`${name}: tokens`, () => describeTokens(withDriver));
  describe(`${name}: sampling`, () => describeSampling(withDriver));
  describe(`${name}: masks`, () => describeMasks(withDriver));
  describe(`${name}: masks that follow`, () => describeLateMasks(withDriver));
  describeBeams(name, subject);
  describe(`${name}: slots`, () => describeSlots(withDriver));
  describe(`${name}: faults`, () => describeFaults(withDriver));
}

function describeSequences(withDriver: WithDriver): void {
  const PROMPT = tokens(70, 3);
  const BLOCKS = range(9);

  it(
    'computes the same logits however a prompt is cut',
    withDriver(async (driver) => {
      driver.attach(0, { prompt: PROMPT });
      const whole = await driver.logits(PROMPT, [70], BLOCKS);
      driver.expectSame(await driver.logits(PROMPT, [1, 30, 8, 31], BLOCKS), whole);
      const ones = PROMPT.map(() => 1);
      driver.expectSame(await driver.logits(PROMPT, ones, BLOCKS), whole);
      expect(whole.every(Number.isFinite)).toBe(true);
      expect(new Set(whole).size).toBeGreaterThan(whole.length / 2);
    }),
  );

  it(
    'does not care which blocks a sequence has',
    withDriver(async (driver) => {
      driver.attach(0, { prompt: PROMPT });
      const expected = await driver.logits(PROMPT, [40, 30], BLOCKS);
      expect(await driver.logits(PROMPT, [40, 30], [63, 5, 17, 0, 2, 44, 9, 31, 30])).toEqual(expected);
    }),
  );

  it(
    'computes a sequence the same alone and among others, chunks and decode tokens mixed',
    withDriver(async (driver) => {
      const prompts = [tokens(20, 5), tokens(9, 6), tokens(33, 7)];
      const alone = await generateAlone(driver, prompts, 6);
      for (const [slot, prompt] of prompts.entries()) driver.attach(slot, { prompt });
      // Where logits may differ in their last bits, so may choices between tokens that are almost equally likely.
      const given = driver.isExact ? undefined : alone.map((one) => one.tokens);
      const together = await interleaved(driver, prompts, given);
      for (const [slot, { logits }] of together.entries())
        for (const [i, some] of logits.entries()) driver.expectSame(some, alone[slot]!.logits[i]!);
      if (driver.isExact) expect(together.map((one) => one.tokens)).toEqual(alone.map((one) => one.tokens));
    }),
  );

  it(
    'gives a token the same bits alone and among others, in steps of one class',
    withDriver(async (driver) => {
      // Eight tokens together: as few rows as every device has one class for.
      const prompts = [tokens(4, 5), tokens(2, 6), tokens(2, 7)];
      const alone = await generateAlone(driver, prompts, 6);
      for (const [slot, prompt] of prompts.entries()) driver.attach(slot, { prompt });
      for (let i = 0; i < 6; i++) {
        const rows = prompts.map((prompt, slot) => ({
          slot,
          tokenIds: i === 0 ? prompt : [-1],
          firstPosition: i === 0 ? 0 : prompt.length + i - 1,
          blocks: [10 + 2 * slot, 11 + 2 * slot],
        }));
        const output = await driver.step(rows, { returnLogits: true });
        expect(rows.map((_, row) => logitsOf(output, row))).toEqual(alone.map(({ logits }) => logits[i]));
      }
    }),
  );

  it(
    'gives no logits when none are wanted',
    withDriver(async (driver) => {
      driver.attach(0);
      const row = { slot: 0, tokenIds: [1, 2, 3], firstPosition: 0, blocks: [0] };
      const output = await driver.step([{ ...row, wanted: [] }], { stepId: 7 });
      expect([output.stepId, output.logitCount, output.tokenIds.length]).toEqual([7, 0, 0]);
      expect(await driver.step([], { stepId: 8 })).toMatchObject({ stepId: 8, logitCount: 0 });
    }),
  );
}

/** Runs sequences one after the other, each in a slot of its own, which is free again at the end. */
async function generateAlone(
  driver: Driver,
  prompts: readonly (readonly number[])[],
  count: number,
): Promise<Generated[]> {
  const results: Generated[] = [];
  for (const [slot, prompt] of prompts.entries()) {
    driver.attach(slot, { prompt: [...prompt] });
    results.push(await driver.generate(slot, prompt, { count, blocks: range(6) }));
    driver.executor.detachSlot(slot);
  }
  return results;
}

function describeBlocks(withDriver: WithDriver): void {
  const PREFIX = tokens(12, 8);
  const END = tokens(10, 9);

  it(
    'copies blocks, so that a fork neither sees nor disturbs its sibling',
    withDriver(async (driver) => {
      driver.attach(0);
      const expected = await driver.logits([...PREFIX, ...END], [22], range(3));
      driver.attach(1);
      await driver.step([{ slot: 1, tokenIds: PREFIX, firstPosition: 0, blocks: [10, 11] }]);
      const sibling = { slot: 1, tokenIds: tokens(10, 10), firstPosition: 12, blocks: [10, 11, 12] };
      const fork = {
        slot: 0,
        tokenIds: END,
        firstPosition: 12,
        blocks: [10, 20, 21],
        wanted: everyToken(END),
      };
      const output = await driver.step([sibling, fork], {
        blockCopies: Int32Array.of(11, 20),
        returnLogits: true,
      });
      const vocabulary = output.logits!.length / output.logitCount;
      driver.expectSame(output.logits!.slice(vocabulary), expected.slice(12 * vocabulary));
    }),
  );

  it(
    'saves blocks to the host tier and loads them elsewhere',
    withDriver(async (driver) => {
      driver.attach(0);
      const expected = await driver.logits([...PREFIX, ...END], [22], range(3));
      const row = { slot: 0, firstPosition: 0, blocks: [10, 11], tokenIds: PREFIX };
      await driver.step([row]);
      await driver.step([{ ...row, tokenIds: tokens(12, 11) }], {
        blocksToHost: Int32Array.of(10, 7, 11, 2),
      });
      const output = await driver.step(
        [{ slot: 0, tokenIds: END, firstPosition: 12, blocks: [40, 41, 42], wanted: everyToken(END) }],
        { blocksFromHost: Int32Array.of(40, 7, 41, 2), returnLogits: true },
      );
      const vocabulary = output.logits!.length / output.logitCount;
      driver.expectSame(output.logits!, expected.slice(12 * vocabulary));
    }),
  );

  it(
    'saves a block before a copy or a load into it',
    withDriver(async (driver) => {
      driver.attach(0);
      const expected = await driver.logits([...PREFIX, ...END], [22], range(3));
      await driver.step([{ slot: 0, tokenIds: PREFIX, firstPosition: 0, blocks: [10, 11] }]);
      await driver.step([], {
        blocksToHost: Int32Array.of(10, 0, 11, 1),
        blocksFromHost: Int32Array.of(11, 0),
        blockCopies: Int32Array.of(11, 10),
      });
      const row = {
        slot: 0,
        tokenIds: END,
        firstPosition: 12,
        blocks: [10, 30, 31],
        wanted: everyToken(END),
      };
      const output = await driver.step([row], { blocksFromHost: Int32Array.of(30, 1), returnLogits: true });
      const vocabulary = output.logits!.length / output.logitCount;
      driver.expectSame(output.logits!, expected.slice(12 * vocabulary));
    }),
  );
}

function describeTokens(withDriver: WithDriver): void {
  const PROMPT = tokens(11, 12);
  const BLOCKS = range(5);

  it(
    'feeds sampled tokens back',
    withDriver(async (driver) => {
      driver.attach(0, { prompt: PROMPT });
      const { tokens: fed } = await driver.generate(0, PROMPT, { count: 8, blocks: BLOCKS });
      driver.executor.detachSlot(0);
      driver.attach(0, { prompt: PROMPT });
      const explicit: number[] = [];
      for (let length = PROMPT.length; explicit.length < 8; length++) {
        const tokenIds = length === PROMPT.length ? PROMPT : [explicit.at(-1)!];
        const row = {
          slot: 0,
          tokenIds,
          firstPosition: length === PROMPT.length ? 0 : length - 1,
          blocks: BLOCKS,
        };
        explicit.push((await driver.step([row])).tokenIds[0]!);
      }
      expect(fed).toEqual(explicit);
    }),
  );

  it(
    'takes the largest logit when greedy and scores targets by log softmax',
    withDriver(async (driver) => {
      driver.attach(0, { sampling: { logprobs: 3, promptLogprobs: 0 } });
      const wanted = [
        { index: 4, target: 17 },
        { index: 10, target: -1 },
      ];
      const row = { slot: 0, tokenIds: PROMPT, firstPosition: 0, blocks: BLOCKS, wanted };
      const output = await driver.step([row], { returnLogits: true });
      const vocabulary = output.logits!.length / 2;
      const [scored, sampled] = [0, 1].map((i) =>
        logProbabilitiesOf(output.logits!.slice(i * vocabulary, (i + 1) * vocabulary)),
      );
      const ranked = sampled!
        .map((logprob, id) => ({ logprob, id }))
        .toSorted((a, b) => b.logprob - a.logprob);
      expect([...output.tokenIds]).toEqual([17, ranked[0]!.id]);
      expect([...output.logprobs]).toEqual([closeTo(scored![17]!), closeTo(ranked[0]!.logprob)]);
      expect(output.topCount).toBe(3);
      expect([...output.topTokenIds]).toEqual([-1, -1, -1, ...ranked.slice(0, 3).map(({ id }) => id)]);
      expect([...output.topLogprobs.subarray(3)]).toEqual(
        ranked.slice(0, 3).map(({ logprob }) => closeTo(logprob)),
      );
    }),
  );

  it(
    'reports no log probabilities to rows that did not ask',
    withDriver(async (driver) => {
      driver.attach(0);
      driver.attach(1, { sampling: { logprobs: 0 } });
      const rows = [0, 1].map((slot) => ({
        slot,
        tokenIds: PROMPT,
        firstPosition: 0,
        blocks: slot === 0 ? BLOCKS : [10, 11],
      }));
      const output = await driver.step(rows);
      expect([...output.logprobs]).toEqual([NaN, expect.any(Number)]);
      expect(output.logprobs[1]).toBeLessThan(0);
      expect([output.topCount, output.logits]).toEqual([0, undefined]);
    }),
  );
}

function describeSampling(withDriver: WithDriver): void {
  const PROMPT = tokens(11, 12);
  const BLOCKS = range(5);

  it(
    'samples by seed and position alone',
    withDriver(async (driver) => {
      // Twice these tokens are a step of the same class.
      const prompt = PROMPT.slice(0, 4);
      const sampling = { temperature: 1.2, topK: 50, topP: 0.95, seed: 1234n };
      driver.attach(0, { sampling, prompt });
      const { tokens: first } = await driver.generate(0, prompt, { count: 12, blocks: BLOCKS });
      driver.attach(1, { sampling, prompt });
      driver.attach(2, { sampling: { ...sampling, seed: 1235n }, prompt });
      const blocks = [BLOCKS.map((block) => block + 10), BLOCKS.map((block) => block + 20)];
      const results: number[][] = [[], []];
      for (let i = 0; i < 12; i++) {
        const rows = [1, 2].map((slot) => ({
          slot,
          tokenIds: i === 0 ? prompt : [-1],
          firstPosition: i === 0 ? 0 : prompt.length + i - 1,
          blocks: blocks[slot - 1]!,
        }));
        const { tokenIds } = await driver.step(rows);
        results.forEach((result, row) => result.push(tokenIds[row]!));
      }
      expect(results[0]).toEqual(first);
      expect(results[1]).not.toEqual(first);
      expect(new Set(first).size).toBeGreaterThan(3);
    }),
  );

  it(
    'continues a resumed sequence as if it had never stopped, penalties included',
    withDriver(async (driver) => {
      const sampling = {
        ...GREEDY,
        temperature: 0.8,
        seed: 5n,
        repetitionPenalty: 1.3,
        presencePenalty: 0.4,
        frequencyPenalty: 0.3,
        minTokens: 9,
      };
      const options = { sampling, prompt: PROMPT, endIds: range(60) };
      driver.attach(0, options);
      const all = await driver.generate(0, PROMPT, { count: 12, blocks: BLOCKS });
      driver.executor.detachSlot(0);
      const output = all.tokens.slice(0, 6);
      driver.attach(0, { ...options, output });
      for (let i = 6; i < 12; i++) {
        const tokenIds = i === 6 ? [...PROMPT, ...output] : [-1];
        const firstPosition = i === 6 ? 0 : PROMPT.length + i - 1;
        const row = { slot: 0, tokenIds, firstPosition, blocks: BLOCKS };
        const { tokenIds: sampled, logits } = await driver.step([row], { returnLogits: true });
        const history = { promptTokenIds: PROMPT, outputTokenIds: output, endIds: options.endIds };
        expect(sampled[0]).toBe(sampleReference(logits!, { sampling, ...history }, PROMPT.length + i));
        if (i === 6) driver.expectSame(logits!, all.logits[6]!);
        output.push(sampled[0]!);
      }
      if (driver.isExact) expect(output).toEqual(all.tokens);
      expect(all.tokens.slice(0, 9).every((id) => id >= 60)).toBe(true);
    }),
  );

  it(
    'obeys bad words and logit bias',
    withDriver(async (driver) => {
      driver.attach(0, { prompt: PROMPT });
      const twice = { count: 2, blocks: BLOCKS };
      const [first, second] = (await driver.generate(0, PROMPT, twice)).tokens;
      driver.attach(1, {
        prompt: PROMPT,
        sampling: {
          badWords: [
            [first!, second!],
            [99, 98],
          ],
        },
      });
      const avoided = (await driver.generate(1, PROMPT, twice)).tokens;
      expect([avoided[0], avoided[1] === second]).toEqual([first, false]);
      driver.attach(2, { prompt: PROMPT, sampling: { logitBias: new Map([[55, 100]]) } });
      expect((await driver.generate(2, PROMPT, twice)).tokens).toEqual([55, 55]);
    }),
  );
}
