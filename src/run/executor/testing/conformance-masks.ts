/** The part of the conformance suite about masks: which tokens rows may sample. */
import { expect, it } from 'vitest';
import type { StepRow } from '../../../core/build-step.js';
import { logitsOf, maskAllowing, range, tokens, type WithDriver } from './conformance-driver.js';

const PROMPT = tokens(11, 12);
const row = (slot: number, mask?: Int32Array): StepRow => ({
  slot,
  tokenIds: PROMPT,
  firstPosition: 0,
  blocks: range(2).map((block) => 2 * slot + block),
  wanted: [{ index: PROMPT.length - 1, target: -1, ...(mask === undefined ? {} : { mask }) }],
});

/** Rows that have masks of their own beside rows that have none. */
export function describeMasks(withDriver: WithDriver): void {
  it(
    'hold each row to its own tokens, and leave others alone',
    withDriver(async (driver) => {
      for (const slot of range(4)) driver.attach(slot, { prompt: PROMPT });
      const free = await driver.step([row(0)], { returnLogits: true });
      const likeliest = free.tokenIds[0]!;
      const ranked = [...logitsOf(free, 0).entries()].toSorted((a, b) => b[1] - a[1]).map(([id]) => id);
      const output = await driver.step([
        row(0),
        row(1, maskAllowing(driver, [ranked[9]!])),
        row(2, maskAllowing(driver, ranked.slice(3))),
        row(3, maskAllowing(driver, ranked)),
      ]);
      expect([...output.tokenIds]).toEqual([likeliest, ranked[9], ranked[3], likeliest]);
    }),
  );

  it(
    'go with draws, feedback and reported log probabilities',
    withDriver(async (driver) => {
      const allowed = [3, 31, 32, 63, 77];
      driver.attach(0, { prompt: PROMPT, sampling: { temperature: 2, seed: 7n, logprobs: 3 } });
      const mask = maskAllowing(driver, allowed);
      const seen = new Set<number>();
      for (let i = 0; i < 20; i++) {
        const length = PROMPT.length + i;
        const next = { ...row(0, mask), tokenIds: i === 0 ? PROMPT : [-1], blocks: range(5) };
        const wanted = [{ index: next.tokenIds.length - 1, target: -1, mask }];
        const output = await driver.step([{ ...next, firstPosition: i === 0 ? 0 : length - 1, wanted }]);
        seen.add(output.tokenIds[0]!);
        expect([output.topCount, output.logprobs[0]! < 0]).toEqual([3, true]);
      }
      expect([...seen].every((id) => allowed.includes(id))).toBe(true);
      expect(seen.size).toBeGreaterThan(2);
    }),
  );

  it(
    'are stronger than biases, bad words and min tokens that leave nothing',
    withDriver(async (driver) => {
      driver.attach(0, {
        prompt: PROMPT,
        endIds: [5],
        sampling: { minTokens: 9, logitBias: new Map([[6, 1000]]), badWords: [[8]] },
      });
      const output = await driver.step([row(0, maskAllowing(driver, [5, 8]))]);
      expect([5, 8]).toContain(output.tokenIds[0]);
    }),
  );

  it(
    'bound what beams report',
    withDriver(async (driver) => {
      driver.attach(0, { prompt: PROMPT, isBeam: true, sampling: { logprobs: 6 } });
      const output = await driver.step([row(0, maskAllowing(driver, [40, 41, 42]))]);
      expect([...output.topTokenIds].toSorted((a, b) => a - b)).toEqual([-1, -1, -1, 40, 41, 42]);
    }),
  );
}
