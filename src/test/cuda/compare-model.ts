/** Runs a model on the GPU and by the reference, and says where they differ. */
import { buildStep } from '../../core/build-step.js';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import type { StepOutput } from '../../core/step.js';
import { sampleReference, scoreBeamReference, scoreReference } from '../../ops/sample/reference.js';
import { relativeError } from '../../ops/testing/compare.js';
import type { Executor } from '../../run/executor/executor.js';
import { ReferenceExecutor } from '../../run/executor/reference/reference-executor.js';
import { createTestModel } from '../../run/executor/testing/test-model.js';
import { isSampled, type LoadSequence, sequencesOf, stepRow } from './loads.js';
import type { ModelCase } from './model-cases.js';
import { type CudaTools, openTestExecutor } from './open-test-executor.js';

const SAMPLINGS: readonly SamplingParams[] = [
  { ...GREEDY, logprobs: 3 },
  { ...GREEDY, temperature: 0.8, topK: 50, topP: 0.9, seed: 12345678901234n },
  {
    ...GREEDY,
    temperature: 1.1,
    minP: 0.05,
    seed: 7n,
    repetitionPenalty: 1.3,
    presencePenalty: 0.2,
    frequencyPenalty: 0.1,
  },
  {
    ...GREEDY,
    temperature: 1,
    topP: 0.5,
    seed: 99n,
    minTokens: 3,
    logitBias: new Map([
      [5, 2],
      [900, -3],
    ]),
  },
  { ...GREEDY, badWords: [[17], [3, 4]] },
];
/** One slot is a beam, with everything that changes its scores. */
const BEAM_SLOT = 6;
const BEAM_SAMPLING: SamplingParams = {
  ...GREEDY,
  logprobs: 8,
  repetitionPenalty: 1.3,
  presencePenalty: 0.2,
  frequencyPenalty: 0.1,
  minTokens: 3,
  logitBias: SAMPLINGS[3]!.logitBias,
  badWords: [[17], [3, 4]],
};
const END_IDS = [2];
const LOGPROB_TOLERANCE = 2e-5;

const samplingOf = (slot: number): SamplingParams =>
  slot === BEAM_SLOT ? BEAM_SAMPLING : SAMPLINGS[slot % SAMPLINGS.length]!;

/** @returns what differs, a sentence each; empty when the case passes */
export async function compareModel(test: ModelCase, tools: CudaTools): Promise<string[]> {
  const model = createTestModel(test.shape);
  const { load } = test;
  const plan = { ...model.plan, kvDtype: test.kvDtype ?? model.plan.kvDtype };
  const weight = (name: string) => model.weights.get(name)!;
  const kvDtype = test.kvDtype ?? 'f32';
  const reference = new ReferenceExecutor({ plan, weight, limits: load.limits, kvDtype });
  const executor = openTestExecutor(tools, { ...test, model }, load.limits);
  const faults = await compareExecutors(executor, reference, test);
  await executor.dispose();
  return faults;
}

async function compareExecutors(
  executor: Executor,
  reference: Executor,
  { load, tolerance }: ModelCase,
): Promise<string[]> {
  const { vocabulary } = executor.limits;
  const sequences = sequencesOf(load, vocabulary);
  for (const { slot, prompt } of sequences)
    for (const one of [executor, reference])
      one.attachSlot({
        slot,
        sampling: samplingOf(slot),
        isBeam: slot === BEAM_SLOT,
        endIds: END_IDS,
        promptTokenIds: Int32Array.from(prompt),
        outputTokenIds: new Int32Array(0),
      });
  const faults: string[] = [];
  for (const [stepId, parts] of load.steps.entries()) {
    const rows = (isDevice: boolean) => parts.map((part) => stepRow(part, sequences[part.slot]!, isDevice));
    executor.submit(buildStep(rows(true), { stepId, returnLogits: true }));
    reference.submit(buildStep(rows(false), { stepId, returnLogits: true }));
    const [actual, expected] = [await executor.collect(), await reference.collect()];
    for (const [index, part] of parts.entries()) {
      const sequence = sequences[part.slot]!;
      const logits = logitsOf(actual, index);
      const error = relativeError(logits, logitsOf(expected, index));
      const fault = error <= tolerance ? undefined : `logits differ by ${error}`;
      const hasToken = isSampled(part, sequence);
      const sampled = hasToken ? compareSample(actual, index, logits, sequence) : undefined;
      for (const what of [fault, sampled])
        if (what !== undefined) faults.push(`step ${stepId}, slot ${part.slot}: ${what}`);
      if (hasToken) sequence.history.push(actual.tokenIds[index]!);
    }
  }
  return faults;
}

const logitsOf = ({ logits, logitCount }: StepOutput, index: number): Float32Array => {
  const vocabulary = logits!.length / logitCount;
  return logits!.subarray(index * vocabulary, (index + 1) * vocabulary);
};

/** Compares the device's choice and scores with the reference's for the same logits. */
function compareSample(
  actual: StepOutput,
  index: number,
  logits: Float32Array,
  { prompt, history, slot }: LoadSequence,
): string | undefined {
  const sampling = samplingOf(slot);
  const outputTokenIds = history.slice(prompt.length);
  const context = { sampling, endIds: END_IDS, promptTokenIds: prompt, outputTokenIds };
  const beam = slot === BEAM_SLOT ? scoreBeamReference(logits, context, sampling.logprobs!) : undefined;
  const token = beam?.tokenId ?? sampleReference(logits, context, history.length);
  if (actual.tokenIds[index] !== token) return `sampled ${actual.tokenIds[index]}, the reference ${token}`;
  if (sampling.logprobs === undefined) return undefined;
  const score = beam ?? scoreReference(logits, token, sampling.logprobs);
  if (!(Math.abs(score.logprob - actual.logprobs[index]!) < LOGPROB_TOLERANCE))
    return `log probability ${actual.logprobs[index]}, the reference ${score.logprob}`;
  const { topCount, topTokenIds } = actual;
  const tops = topTokenIds.subarray(index * topCount, index * topCount + sampling.logprobs).join();
  return tops === score.top.map((top) => top.tokenId).join() ? undefined : `top tokens ${tops}`;
}
