/**
 * Sampling parameters that are numbers, one row for each. Whatever names a parameter reads this table: the types of requests,
 * checks of ranges, defaults, the OpenAI interface, Triton's tensors and the command line. CONTRIBUTING says how to add a row.
 */

/** Values that a number may have. */
export interface NumberRange {
  readonly isInteger?: boolean;
  readonly min?: number;
  /** True if `min` itself is refused. */
  readonly isOpen?: boolean;
  readonly max?: number;
}

interface SamplingField {
  /**
   * Way in which the parameter acts. A filter looks at the logits alone and decides which tokens may be drawn; beam search has none. A
   * penalty depends on the tokens before, a length on their count.
   */
  readonly kind: 'filter' | 'penalty' | 'length';
  /** Values that the engine accepts. */
  readonly range: NumberRange;
  /** Value that changes nothing. */
  readonly neutral: number;
  /** Value of a filter that leaves the most likely token alone. */
  readonly greedy?: number;
  /** Member of generation_config.json in which a model's publisher recommends a value. */
  readonly published?: string;
  readonly openAi: {
    readonly name: string;
    readonly range: NumberRange;
    /** Value that clients send for the neutral one. */
    readonly neutral?: number;
    /** Value of a request that leaves the member out, where it is not the model's own default. */
    readonly default?: number;
  };
  /** Tensors of tensorrtllm_backend's models. */
  readonly tensor: {
    readonly type: 'FP32' | 'INT32';
    /** Name in models that take text. */
    readonly text: string;
    /** Name in models that take token ids. */
    readonly engine: string;
    /** Further name, accepted in both. */
    readonly alias?: string;
  };
  /** Flag of `aloft run` and `aloft client`. */
  readonly flag: { readonly spec: string; readonly help: string; readonly range: NumberRange };
}

const SHARE: NumberRange = { min: 0, max: 1 };
const COUNT: NumberRange = { isInteger: true, min: 0, max: 2 ** 31 - 1 };
/** Factors and terms beyond these say nothing that these do not say, and leave the numbers that f32 can hold. */
const FACTOR: NumberRange = { min: 0.01, max: 100 };
const TERM: NumberRange = { min: -100, max: 100 };

/** Bias of a single token: wide enough for the values by which clients forbid tokens, within f32 after all penalties. */
export const LOGIT_BIAS_RANGE: NumberRange = { min: -1e30, max: 1e30 };
/** The same in OpenAI's interface. */
export const OPENAI_LOGIT_BIAS_RANGE: NumberRange = { min: -100, max: 100 };

/** Temperatures below this count as 0: the logits that they divide would leave the numbers that f32 can hold. */
export const LOWEST_TEMPERATURE = 1e-5;

export const SAMPLING_FIELDS = {
  /** Divides the logits. 0 means greedy, and so does what is below `LOWEST_TEMPERATURE`. */
  temperature: {
    kind: 'filter',
    range: { min: 0, max: 100 },
    neutral: 1,
    greedy: 0,
    published: 'temperature',
    openAi: { name: 'temperature', range: { min: 0, max: 100 }, default: 1 },
    tensor: { type: 'FP32', text: 'temperature', engine: 'temperature' },
    flag: {
      spec: '--temperature <x>',
      help: 'divides the logits; 0 is greedy; default: the model says, else greedy',
      range: { min: 0, max: 100 },
    },
  },
  /** Keep the k most likely tokens; 0 keeps all; 1 is greedy. */
  topK: {
    kind: 'filter',
    range: COUNT,
    neutral: 0,
    greedy: 1,
    published: 'top_k',
    openAi: { name: 'top_k', range: { ...COUNT, min: -1 }, neutral: -1 },
    tensor: { type: 'INT32', text: 'top_k', engine: 'runtime_top_k' },
    flag: { spec: '--top-k <n>', help: 'keep the n most likely tokens; 0 keeps all', range: COUNT },
  },
  /** Keep the smallest set of most likely tokens whose probability reaches this; 1 keeps all. */
  topP: {
    kind: 'filter',
    range: { min: 0, isOpen: true, max: 1 },
    neutral: 1,
    published: 'top_p',
    openAi: { name: 'top_p', range: SHARE },
    tensor: { type: 'FP32', text: 'top_p', engine: 'runtime_top_p' },
    flag: {
      spec: '--top-p <x>',
      help: 'keep the most likely tokens up to this probability',
      range: SHARE,
    },
  },
  /** Drop tokens less likely than this share of the most likely one; 0 keeps all. */
  minP: {
    kind: 'filter',
    range: SHARE,
    neutral: 0,
    published: 'min_p',
    openAi: { name: 'min_p', range: SHARE },
    tensor: { type: 'FP32', text: 'min_p', engine: 'min_p' },
    flag: {
      spec: '--min-p <x>',
      help: 'drop tokens less likely than this share of the most likely one',
      range: SHARE,
    },
  },
  /** Hugging Face definition: logits of tokens in prompt or output are divided (if > 0) or multiplied (if < 0). 1 is off. */
  repetitionPenalty: {
    kind: 'penalty',
    range: FACTOR,
    neutral: 1,
    published: 'repetition_penalty',
    openAi: { name: 'repetition_penalty', range: FACTOR },
    tensor: { type: 'FP32', text: 'repetition_penalty', engine: 'repetition_penalty' },
    flag: {
      spec: '--repetition-penalty <x>',
      help: 'over 1 makes repeated tokens less likely; 1 is off',
      range: FACTOR,
    },
  },
  /** OpenAI definition: subtracted once from tokens already generated. 0 is off. */
  presencePenalty: {
    kind: 'penalty',
    range: TERM,
    neutral: 0,
    openAi: { name: 'presence_penalty', range: { min: -2, max: 2 } },
    tensor: { type: 'FP32', text: 'presence_penalty', engine: 'presence_penalty' },
    flag: {
      spec: '--presence-penalty <x>',
      help: 'subtracted once from the logits of tokens in the output; 0 is off',
      range: TERM,
    },
  },
  /** OpenAI definition: subtracted per earlier generation of the token. 0 is off. */
  frequencyPenalty: {
    kind: 'penalty',
    range: TERM,
    neutral: 0,
    openAi: { name: 'frequency_penalty', range: { min: -2, max: 2 } },
    tensor: { type: 'FP32', text: 'frequency_penalty', engine: 'frequency_penalty' },
    flag: {
      spec: '--frequency-penalty <x>',
      help: 'subtracted from the logits of tokens as often as the output has them; 0 is off',
      range: TERM,
    },
  },
  /** End ids are impossible before this many tokens were generated. */
  minTokens: {
    kind: 'length',
    range: COUNT,
    neutral: 0,
    openAi: { name: 'min_tokens', range: COUNT },
    tensor: { type: 'INT32', text: 'min_length', engine: 'min_length', alias: 'min_tokens' },
    flag: { spec: '--min-length <n>', help: 'fewest tokens to generate', range: COUNT },
  },
} as const satisfies Readonly<Record<string, SamplingField>>;

type Table = typeof SAMPLING_FIELDS;

export type SamplingFieldName = keyof Table;

/** A value for each parameter. */
export type SamplingNumbers = { readonly [Name in keyof Table]: number };

/** Names of the rows that have all members of `Part`. */
type NamesWith<Part> = { [Name in keyof Table]: Table[Name] extends Part ? Name : never }[keyof Table];

export type FilterName = NamesWith<{ readonly kind: 'filter' }>;
export type PublishedName = NamesWith<{ readonly published: string }>;

export const SAMPLING_FIELD_NAMES = Object.keys(SAMPLING_FIELDS) as readonly SamplingFieldName[];

/** A row of the table, without the values that only this row has. */
export function samplingField(name: SamplingFieldName): SamplingField {
  return SAMPLING_FIELDS[name];
}

export const FILTER_NAMES = SAMPLING_FIELD_NAMES.filter(
  (name): name is FilterName => SAMPLING_FIELDS[name].kind === 'filter',
);
export const PENALTY_NAMES = SAMPLING_FIELD_NAMES.filter((name) => SAMPLING_FIELDS[name].kind === 'penalty');
export const PUBLISHED_NAMES = SAMPLING_FIELD_NAMES.filter(
  (name): name is PublishedName => samplingField(name).published !== undefined,
);

/** An object with a value for each name. */
export function byName<Name extends string, Value>(
  names: readonly Name[],
  valueOf: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Record<Name, Value>;
}
