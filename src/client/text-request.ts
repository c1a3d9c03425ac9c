/** A request for text against an ensemble or bls model, and what comes back; the same over gRPC and HTTP. */
import {
  SAMPLING_FIELD_NAMES,
  samplingField,
  type SamplingFieldName,
  type SamplingNumbers,
} from '../core/sampling-fields.js';
import type { Datatype } from '../protocol/kserve/datatype.js';

/** Sampling parameters that have the same name here as in the Node API. */
type SharedName = Exclude<SamplingFieldName, 'minTokens'>;

export interface TextRequest extends Partial<Pick<SamplingNumbers, SharedName>> {
  /** Default `ensemble`. */
  readonly model?: string;
  readonly prompt: string;
  readonly maxTokens: number;
  /** Default false: one piece with the whole text. */
  readonly stream?: boolean;
  readonly id?: string;
  readonly stopWords?: readonly string[];
  readonly badWords?: readonly string[];
  readonly endId?: number;
  readonly padId?: number;
  readonly lengthPenalty?: number;
  /** Fewest tokens. */
  readonly minLength?: number;
  readonly seed?: bigint;
  readonly beamWidth?: number;
  readonly sequenceCount?: number;
  readonly excludeInput?: boolean;
  readonly returnLogProbs?: boolean;
  /** Form of the text: `json`, `json_schema`, `regex`, `ebnf_grammar` or `structural_tag`, and the schema, pattern or grammar. */
  readonly guideType?: string;
  readonly guide?: string;
}

/** New text of one continuation. The pieces of one continuation joined are its text. */
export interface TextPiece {
  readonly text: string;
  readonly sequence: number;
  /** Log probabilities of the piece's tokens, when asked for. */
  readonly logProbs: readonly number[];
}

type FieldValue = string | number | bigint | boolean | readonly string[];

/** One input tensor of a request. */
export interface FieldTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly value: FieldValue;
}

const FIELDS: readonly (readonly [keyof TextRequest, string, Datatype])[] = [
  ...SAMPLING_FIELD_NAMES.map((name) => {
    const { tensor } = samplingField(name);
    return [name === 'minTokens' ? 'minLength' : name, tensor.text, tensor.type] as const;
  }),
  ['prompt', 'text_input', 'BYTES'],
  ['maxTokens', 'max_tokens', 'INT32'],
  ['badWords', 'bad_words', 'BYTES'],
  ['stopWords', 'stop_words', 'BYTES'],
  ['stream', 'stream', 'BOOL'],
  ['endId', 'end_id', 'INT32'],
  ['padId', 'pad_id', 'INT32'],
  ['lengthPenalty', 'length_penalty', 'FP32'],
  ['seed', 'random_seed', 'UINT64'],
  ['beamWidth', 'beam_width', 'INT32'],
  ['sequenceCount', 'num_return_sequences', 'INT32'],
  ['excludeInput', 'exclude_input_in_output', 'BOOL'],
  ['returnLogProbs', 'return_log_probs', 'BOOL'],
  ['guideType', 'guided_decoding_guide_type', 'BYTES'],
  ['guide', 'guided_decoding_guide', 'BYTES'],
];

/** Older servers insist on both word lists, so an empty one is sent; what is not set stays away. */
export function fieldTensors(request: TextRequest): FieldTensor[] {
  const words = (list: readonly string[] | undefined): string | readonly string[] =>
    list?.length ? list : '';
  const full = { ...request, badWords: words(request.badWords), stopWords: words(request.stopWords) };
  return FIELDS.flatMap(([key, name, datatype]) => {
    const value = full[key];
    return value === undefined ? [] : [{ name, datatype, value }];
  });
}
