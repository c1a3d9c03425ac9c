/** The part of the conformance suite about masks that are supplied while the forward pass of their step runs. */
import { expect, it } from 'vitest';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import type { SamplingParams } from '../../../core/sampling.js';
import type { StepInput, StepOutput } from '../../../core/step.js';
import { type Driver, maskAllowing, range, tokens, type WithDriver } from './conformance-driver.js';

const REFUSED = /Broken invariant/;
const NO_MASKS = new Int32Array(0);
const STEPS = 12;

/** Slots that differ in what sampling does and reports; the last two take any token. */
const SLOTS: readonly Partial<SamplingParams>[] = [
  {},
  { temperature: 1.5, seed: 3n, logprobs: 2 },
  { repetitionPenalty: 1.3, frequencyPenalty: 0.2 },
  { temperature: 1.2, topK: 20, seed: 9n },
  {},
];
const MASKED = 3;
const promptOf = (slot: number): number[] => tokens(5 + slot, slot);

function attachAll(driver: Driver, samplings = SLOTS): void {
  for (const [slot, sampling] of samplings.entries())
    driver.attach(slot, { prompt: promptOf(slot), sampling });
}

function detachAll(driver: Driver): void {
  for (const slot of SLOTS.keys()) driver.executor.detachSlot(slot);
}

/** Row of a slot: in its first turn its prompt, then the token that was sampled last. */
function rowOf(slot: number, turn: number, mask?: Int32Array): StepRow {
  const prompt = promptOf(slot);
  const tokenIds = turn === 0 ? prompt : [-1];
  return {
    slot,
    tokenIds,
    firstPosition: turn === 0 ? 0 : prompt.length + turn - 1,
    blocks: range(4).map((block) => 4 * slot + block),
    wanted: [{ index: tokenIds.length - 1, target: -1, ...(mask && { mask }) }],
  };
}

/** A step of all slots. @param last tokens that were sampled before: a third of the vocabulary may follow each, as with a grammar */
function stepOf(driver: Driver, turn: number, last: ArrayLike<number>, stepId = turn): StepInput {
  const ids = range(driver.executor.limits.vocabulary);
  const rows = [...SLOTS.keys()].map((slot) => {
    const allowed = ids.filter((id) => id % 3 === (last[slot]! + slot) % 3);
    return rowOf(slot, turn, slot < MASKED ? maskAllowing(driver, allowed) : undefined);
  });
  return buildStep(rows, { stepId, returnLogits: turn % 4 === 0 });
}

const START = SLOTS.map(() => 0);
const late = (step: StepInput): StepInput => ({ ...step, masks: NO_MASKS, masksFollow: true });
/** All of a result that does not depend on when it was computed. */
const resultOf = (output: StepOutput): StepOutput => ({ ...output, stepId: 0, deviceMs: 0, idleMs: 0 });

/** Results of steps that are submitted one by one, with their masks. */
async function withMasks(driver: Driver, samplings = SLOTS): Promise<StepOutput[]> {
  attachAll(driver, samplings);
  const results = [];
  let last: ArrayLike<number> = START;
  for (const turn of range(STEPS)) {
    const output = await run(driver, stepOf(driver, turn, last, 100 + turn));
    last = output.tokenIds.slice();
    results.push(resultOf(output));
  }
  detachAll(driver);
  return results;
}

/** Steps whose masks are not known when they are submitted. */
export function describeLateMasks(withDriver: WithDriver): void {
  it.each([
    ['with draws, penalties and reported log probabilities', SLOTS],
    ['of steps that report nothing', SLOTS.map((sampling) => ({ ...sampling, logprobs: undefined }))],
  ])('give the same bits, with the step before still in flight, %s', async (_, samplings) => {
    await withDriver(async (driver) => {
      const expected = await withMasks(driver, samplings);
      attachAll(driver, samplings);
      const { executor } = driver;
      const results = [];
      // The first step has its masks; each later one is submitted before anybody knows what its rows continue.
      executor.submit(stepOf(driver, 0, START));
      for (const stepId of range(STEPS)) {
        const next = stepId + 1;
        if (next < STEPS) executor.submit(late(stepOf(driver, next, START)));
        const output = await executor.collect();
        expect(output.deviceMs).toBeGreaterThanOrEqual(0);
        expect(output.idleMs).toBeGreaterThanOrEqual(0);
        results.push(resultOf(output));
        if (next < STEPS) executor.supplyMasks(next, stepOf(driver, next, output.tokenIds).masks);
      }
      expect(results).toEqual(expected);
      expect(new Set(expected.flatMap(({ tokenIds }) => [...tokenIds])).size).toBeGreaterThan(5);
    })();
  });

  it(
    'may be longer than needed, and sample rows whose slots were given up meanwhile',
    withDriver(async (driver) => {
      attachAll(driver);
      const step = stepOf(driver, 0, START);
      const expected = resultOf(await run(driver, step));
      detachAll(driver);
      attachAll(driver);
      driver.executor.submit(late({ ...step, stepId: 1 }));
      detachAll(driver);
      driver.executor.supplyMasks(1, Int32Array.from([...step.masks, 1, 2, 3]));
      expect(resultOf(await driver.executor.collect())).toEqual(expected);
      attachAll(driver);
      expect(resultOf(await run(driver, { ...step, stepId: 2 }))).toEqual(expected);
    }),
  );

  it(
    'are refused for another step, a second time and in parts, and the step goes on',
    withDriver(async (driver) => {
      const { executor } = driver;
      attachAll(driver);
      const step = stepOf(driver, 0, START, 7);
      expect(() => executor.supplyMasks(7, step.masks)).toThrowError(REFUSED);
      executor.submit({ ...step, stepId: 6 });
      expect(() => executor.supplyMasks(6, step.masks)).toThrowError(REFUSED);
      const expected = resultOf(await executor.collect());
      detachAll(driver);
      attachAll(driver);
      executor.submit(late(step));
      expect(() => executor.supplyMasks(6, step.masks)).toThrowError(REFUSED);
      expect(() => executor.supplyMasks(7, step.masks.subarray(1))).toThrowError(REFUSED);
      executor.supplyMasks(7, step.masks);
      expect(() => executor.supplyMasks(7, step.masks)).toThrowError(REFUSED);
      expect(resultOf(await executor.collect())).toEqual(expected);
    }),
  );

  it(
    'come before another step, before results and before new states of their slots',
    withDriver(async (driver) => {
      const { executor } = driver;
      attachAll(driver);
      expect(() => executor.submit({ ...buildStep([rowOf(4, 0)]), masksFollow: true })).toThrowError(REFUSED);
      const step = stepOf(driver, 0, START);
      executor.submit(late(step));
      expect(() => executor.submit(buildStep([rowOf(4, 1)], { stepId: 1 }))).toThrowError(REFUSED);
      await expect((async () => executor.collect())()).rejects.toMatchObject({ code: 'INTERNAL' });
      executor.detachSlot(0);
      expect(() => attachAll(driver, [{}])).toThrowError(REFUSED);
      driver.attach(7);
      executor.supplyMasks(0, step.masks);
      attachAll(driver, [{}]);
      expect((await executor.collect()).stepId).toBe(0);
      expect((await run(driver, buildStep([rowOf(0, 0), rowOf(4, 1)], { stepId: 2 }))).logitCount).toBe(2);
    }),
  );

  it.each([0, 1])(
    'need not come before the executor is disposed of, with %i steps before in flight',
    async (count) => {
      await withDriver((driver) => {
        attachAll(driver);
        for (const stepId of range(count)) driver.executor.submit(stepOf(driver, stepId, START));
        driver.executor.submit(late(stepOf(driver, count, START)));
        return Promise.resolve();
      })();
    },
  );
}

function run(driver: Driver, step: StepInput): Promise<StepOutput> {
  driver.executor.submit(step);
  return driver.executor.collect();
}
