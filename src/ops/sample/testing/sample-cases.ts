/** Cases that every implementation of sampling is tested with. */
import { seededRandom } from '../../../core/random.js';
import { GREEDY, type SamplingParams } from '../../../core/sampling.js';
import { maskWords } from '../contract.js';
import { type SampleContext, scoreReference } from '../reference.js';

const SAMPLING: SamplingParams = { ...GREEDY, temperature: 1 };

/** A sequence that draws, with these changes. */
export const contextOf = (
  sampling: Partial<SamplingParams>,
  rest: Partial<SampleContext> = {},
): SampleContext => ({
  sampling: { ...SAMPLING, ...sampling },
  endIds: [],
  promptTokenIds: [],
  outputTokenIds: [],
  ...rest,
});

export const countUp = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Logits of a language model's look: a few high ones, a long tail. */
export function randomLogits(vocabulary: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: vocabulary }, () => 4 * Math.log(1 / (1e-9 + random.next())) - 5);
}

export const VOCABULARIES: readonly number[] = [1, 7, 64, 1000, 32_000];

/** Every way of choosing by the logits alone. */
export const SETTINGS: readonly Partial<SamplingParams>[] = [
  {},
  { temperature: 0 },
  { topK: 1 },
  { temperature: 0.3 },
  { temperature: 5 },
  { topK: 5 },
  { topK: 900 },
  { topP: 0.9 },
  { topP: 0 },
  { topP: 0.999 },
  { minP: 0.05 },
  { minP: 1 },
  { temperature: 0.8, topK: 50, topP: 0.9, minP: 0.02 },
  { temperature: 2, topK: 3000, topP: 0.99 },
];

/** A prompt of 20 tokens and 40 tokens of output, with two end ids. */
export function historyOf(vocabulary: number, seed: number): Omit<SampleContext, 'sampling'> {
  const random = seededRandom(seed);
  const history = countUp(60).map(() => Math.floor(random.next() * vocabulary));
  return { endIds: [3, 4], promptTokenIds: history.slice(0, 20), outputTokenIds: history.slice(20) };
}

/** Every way in which earlier tokens matter. @param context of {@link historyOf} */
export function historySettings({
  promptTokenIds,
  outputTokenIds,
}: Omit<SampleContext, 'sampling'>): readonly Partial<SamplingParams>[] {
  const history = [...Array.from(promptTokenIds), ...Array.from(outputTokenIds)];
  return [
    { repetitionPenalty: 1.5 },
    { repetitionPenalty: 0.7 },
    { presencePenalty: 3, frequencyPenalty: -0.5 },
    { minTokens: 41 },
    { minTokens: 40 },
    {
      logitBias: new Map([
        [7, 9.5],
        [8, -100],
        [9, 9.25],
      ]),
    },
    { badWords: [[11], [history[58]!, history[59]!, 12], countUp(100), history] },
    { repetitionPenalty: 1.2, frequencyPenalty: 0.4, badWords: [[history[59]!, 5]], minTokens: 100 },
  ];
}

/** Rows whose logits and parameters are f32 of any bits: NaN, infinities, subnormal and huge numbers among them. */
export function anyBits(
  count: number,
): readonly { readonly logits: Float32Array; readonly context: SampleContext }[] {
  const random = seededRandom(33);
  const word = () => Math.floor(random.next() * 2 ** 32);
  const bits = (length: number) => new Float32Array(Uint32Array.from({ length }, word).buffer);
  const extremes = [0, -0, Infinity, -Infinity, NaN, 3.4e38, -3.4e38, 1e-45, 1];
  const anyNumber = () => (word() % 3 === 0 ? extremes[word() % extremes.length]! : bits(1)[0]!);
  return countUp(count).map(() => {
    const vocabulary = [1, 5, 17, 100, 2100][word() % 5]!;
    const logits = bits(vocabulary);
    if (word() % 2 === 0) for (let i = 0; i < vocabulary; i++) logits[i] = anyNumber();
    const sampling = {
      temperature: anyNumber(),
      topK: word() % 4 === 0 ? word() % 2 ** 31 : word() % 5,
      topP: anyNumber(),
      minP: anyNumber(),
      repetitionPenalty: anyNumber(),
      presencePenalty: anyNumber(),
      frequencyPenalty: anyNumber(),
      minTokens: word() % 80,
      logitBias: new Map([[word() % vocabulary, anyNumber()]]),
      seed: BigInt(word()),
    };
    const tokens = countUp(word() % 40).map(() => word() % vocabulary);
    const promptTokenIds = tokens.slice(0, 5);
    const rest = { endIds: [word() % vocabulary], promptTokenIds, outputTokenIds: tokens.slice(5) };
    return { logits, context: contextOf(sampling, rest) };
  });
}

/** Everything that changes the scores of a beam's next tokens; the last forbids all. @param context of {@link historyOf} */
export function beamSettings(
  logits: Float32Array,
  { outputTokenIds }: Omit<SampleContext, 'sampling'>,
): readonly Partial<SamplingParams>[] {
  const likely = scoreReference(logits, 0, 8).top.map(({ tokenId }) => tokenId);
  const last = Array.from(outputTokenIds).at(-1)!;
  return [
    {},
    { minTokens: 41, repetitionPenalty: 1.4 },
    {
      presencePenalty: 0.5,
      frequencyPenalty: -0.25,
      badWords: [[likely[0]!], [last, likely[1]!]],
    },
    {
      logitBias: new Map([
        [likely[2]!, 20],
        [likely[3]!, -3],
      ]),
      repetitionPenalty: 0.8,
    },
    { badWords: countUp(logits.length).map((id) => [id]) },
  ];
}

/** Masks of few tokens, of many, of one, of none of the likely ones, and of all. */
export function masksOf(vocabulary: number): readonly Int32Array[] {
  const maskWhere = (isAllowed: (id: number) => boolean): Int32Array => {
    const mask = new Int32Array(maskWords(vocabulary));
    for (const id of countUp(vocabulary).filter(isAllowed)) mask[id >> 5]! |= 1 << (id & 31);
    return mask;
  };
  return [
    maskWhere((id) => id % 37 === 5),
    maskWhere((id) => id % 3 !== 0),
    maskWhere((id) => id === vocabulary - 1),
    maskWhere((id) => id >= 32 && id < 64),
    maskWhere(() => true),
  ];
}

/** Settings beside a mask; the last ones leave nothing of it, so that the mask alone counts. */
export const MASK_SETTINGS: readonly [string, Partial<SamplingParams>, Partial<SampleContext>][] = [
  ['greedy', { temperature: 0 }, {}],
  ['draws', { temperature: 1.5 }, {}],
  ['filters', { topK: 20, topP: 0.9 }, {}],
  ['a bias that pulls elsewhere', { logitBias: new Map([[0, 1e6]]) }, {}],
  ['penalties', { repetitionPenalty: 1.3, frequencyPenalty: 0.5 }, historyOf(500, 8)],
  ['everything forbidden', { badWords: countUp(500).map((id) => [id]) }, {}],
  ['every end forbidden', { minTokens: 100, temperature: 0 }, { endIds: countUp(500) }],
];
