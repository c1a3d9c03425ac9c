/** The part of the conformance suite about beam search: what executors report for slots that are beams. */
import { describe, expect, it } from 'vitest';
import type { StepRow } from '../../../core/build-step.js';
import { GREEDY, type SamplingParams } from '../../../core/sampling.js';
import type { StepOutput } from '../../../core/step.js';
import {
  closeTo,
  type Driver,
  logProbabilitiesOf,
  range,
  type Subject,
  tokens,
  withDriverOf,
} from './conformance-driver.js';

/** Values that the scores of a beam depend on besides the logits. */
interface BeamContext {
  readonly prompt: number[];
  readonly output: number[];
  readonly endIds: number[];
  readonly sampling: Partial<SamplingParams>;
}

/** Scores of all tokens after a beam, written down token by token: -Infinity for those that are impossible. */
function beamScores(logits: Float32Array, context: BeamContext): number[] {
  const { prompt, output, endIds } = context;
  const sampling = { ...GREEDY, ...context.sampling };
  const history = [...prompt, ...output];
  const completes = (word: readonly number[], id: number): boolean =>
    word.at(-1) === id &&
    `,${history.join()}`.endsWith(
      word
        .slice(0, -1)
        .map((part) => `,${part}`)
        .join(''),
    );
  return logProbabilitiesOf(logits).map((logprob, id) => {
    if (sampling.badWords.some((word) => completes(word, id))) return -Infinity;
    if (output.length < sampling.minTokens && endIds.includes(id)) return -Infinity;
    const biased = logprob + (sampling.logitBias.get(id) ?? 0);
    if (!history.includes(id)) return biased;
    const { repetitionPenalty } = sampling;
    const repeated = biased < 0 ? biased * repetitionPenalty : biased / repetitionPenalty;
    const count = output.filter((generated) => generated === id).length;
    return repeated - count * sampling.frequencyPenalty - (count > 0 ? sampling.presencePenalty : 0);
  });
}

const PROMPT = tokens(11, 12);
const OUTPUT = tokens(4, 3);
const row = (slot: number): StepRow => ({
  slot,
  tokenIds: [...PROMPT, ...OUTPUT],
  firstPosition: 0,
  blocks: range(3).map((block) => 3 * slot + block),
});

/** Reports of a beam without and with everything that changes its scores, after the same tokens. */
async function scored(driver: Driver, choose: (likely: number[]) => BeamContext) {
  driver.attach(0, { prompt: PROMPT, output: OUTPUT, isBeam: true, sampling: { logprobs: 12 } });
  const plain = await driver.step([row(0)], { returnLogits: true });
  const context = choose([...plain.topTokenIds]);
  driver.attach(1, { ...context, isBeam: true, sampling: { ...context.sampling, logprobs: 12 } });
  return { plain, changed: await driver.step([row(1)]), context, logits: plain.logits! };
}

function expectScores(output: StepOutput, scores: readonly number[]): void {
  const best = scores
    .map((score, id) => ({ score, id }))
    .filter(({ score }) => score > -Infinity)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, 12);
  expect([...output.topTokenIds]).toEqual(best.map(({ id }) => id));
  expect([...output.topLogprobs]).toEqual(best.map(({ score }) => closeTo(score)));
  expect([output.tokenIds[0], output.logprobs[0]]).toEqual([best[0]!.id, closeTo(best[0]!.score)]);
}

/** @param name of the executor and its weights */
export function describeBeams(name: string, subject: Subject): void {
  const withDriver = withDriverOf(subject);
  describe(`${name}: beams`, () => {
    it(
      'score by log probability after bias, penalties, bad words and min tokens',
      withDriver(async (driver) => {
        const { plain, changed, context, logits } = await scored(driver, (likely) => ({
          // As many tokens as the step brings: an executor may take their number from the position.
          prompt: [...PROMPT.slice(1), likely[4]!],
          output: [likely[5]!, likely[6]!, likely[6]!, 7],
          endIds: [likely[2]!],
          sampling: {
            repetitionPenalty: 1.3,
            presencePenalty: 0.2,
            frequencyPenalty: 0.15,
            logitBias: new Map([
              [likely[3]!, -1],
              [likely[7]!, 0.5],
              [likely[8]!, 60],
            ]),
            badWords: [[likely[0]!], [7, likely[1]!], [8, likely[9]!]],
            minTokens: 9,
          },
        }));
        expectScores(plain, logProbabilitiesOf(logits));
        expectScores(changed, beamScores(logits, context));
      }),
    );

    it(
      'end when enough tokens were generated, and keep their scores when everything is forbidden',
      withDriver(async (driver) => {
        const { plain, changed, context, logits } = await scored(driver, ([best, ...rest]) => ({
          prompt: PROMPT,
          output: OUTPUT,
          endIds: [best!],
          sampling: { minTokens: OUTPUT.length, badWords: [[rest[0]!]] },
        }));
        expectScores(changed, beamScores(logits, context));
        const vocabulary = logits.length;
        const badWords = range(vocabulary).map((id) => [id]);
        driver.attach(2, {
          prompt: PROMPT,
          output: OUTPUT,
          isBeam: true,
          sampling: { logprobs: 12, badWords },
        });
        const { topTokenIds, topLogprobs } = await driver.step([row(2)]);
        expect([...topTokenIds]).toEqual([...plain.topTokenIds]);
        expect([...topLogprobs]).toEqual([...plain.topLogprobs]);
      }),
    );

    it(
      'take the history with which a slot is attached anew, whatever was chosen in it',
      withDriver(async (driver) => {
        const sampling = { logprobs: 12, repetitionPenalty: 2, frequencyPenalty: 1, badWords: [[60, 61]] };
        driver.attach(0, { prompt: PROMPT, isBeam: true, sampling });
        await driver.step([{ ...row(0), tokenIds: PROMPT }]);
        driver.executor.detachSlot(0);
        const history = { prompt: PROMPT, output: [60], isBeam: true, sampling };
        driver.attach(0, history);
        driver.attach(1, history);
        const next = { tokenIds: [60], firstPosition: PROMPT.length };
        const moved = await driver.step([{ ...row(0), ...next }], { returnLogits: true });
        const fresh = await driver.step([{ ...row(1), tokenIds: [...PROMPT, 60] }], { returnLogits: true });
        driver.expectSame(moved.logits!, fresh.logits!);
        for (const output of [moved, fresh])
          expectScores(output, beamScores(output.logits!, { ...history, endIds: [] }));
      }),
    );
  });
}
