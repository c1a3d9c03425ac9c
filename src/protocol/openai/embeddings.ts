/** POST /v1/embeddings: https://platform.openai.com/docs/api-reference/embeddings */
import { Type } from 'typebox';
import type { GenerateRequest, Prompt } from '../../core/generate.js';
import { present } from '../../core/present.js';
import type { Usage } from '../../core/request.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { memberReader } from '../conversation/member-reader.js';
import type { JsonObject } from '../json.js';
import type { BodyWriter, PromptedEvent } from './answer.js';
import { FORM_MEMBERS } from './members.js';
import { optional } from './optional.js';

const tokenIds = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });
const several = { minItems: 1, maxItems: REQUEST_LIMITS.inputs.max };

const readMembers = memberReader({
  model: FORM_MEMBERS.model,
  input: Type.Union([
    Type.String(),
    Type.Array(Type.String(), several),
    tokenIds,
    Type.Array(tokenIds, several),
  ]),
  encoding_format: optional(Type.Enum(['float', 'base64'])),
  dimensions: optional(Type.Integer({ minimum: 1 })),
  user: FORM_MEMBERS.user,
  // Beyond OpenAI's own interface, named as other engines name them.
  truncate_prompt_tokens: optional(Type.Integer({ minimum: 1 })),
  add_special_tokens: optional(Type.Boolean()),
});

export const { schema: EMBEDDINGS_SCHEMA } = readMembers;

export interface EmbeddingsRequest {
  readonly model: string;
  /** One for each input. */
  readonly requests: readonly GenerateRequest[];
  readonly isBase64: boolean;
}

/** @throws {OpenAiRequestError} that names the wrong member */
export function readEmbeddingsRequest(body: JsonObject): EmbeddingsRequest {
  const json = readMembers(body);
  const common = {
    embedding: present({ dimensions: json.dimensions }),
    ...present({ truncatePromptTokens: json.truncate_prompt_tokens }),
  };
  const requests = promptsOf(json.input, json.add_special_tokens ?? true).map((prompt) => ({
    ...common,
    prompt,
  }));
  return { model: json.model, requests, isBase64: json.encoding_format === 'base64' };
}

/** Texts and lists of token ids, one or several, as `prompt` and `input` hold them. */
export function promptsOf(
  input: string | string[] | number[] | number[][],
  addSpecialTokens: boolean,
): Prompt[] {
  if (typeof input === 'string') return [{ type: 'text', text: input, addSpecialTokens }];
  const isTokenList = (list: readonly unknown[]): list is number[] => typeof list[0] === 'number';
  if (isTokenList(input)) return [{ type: 'tokens', tokenIds: input }];
  return input.map((item: string | number[]) =>
    typeof item === 'string'
      ? { type: 'text', text: item, addSpecialTokens }
      : { type: 'tokens', tokenIds: item },
  );
}

/** Digits that tell any two numbers of 32 bits apart. */
const FLOAT_DIGITS = 9;

export class EmbeddingsBody implements BodyWriter {
  readonly #request: EmbeddingsRequest;
  readonly #embeddings = new Map<number, Float32Array>();
  readonly #usages: Usage[] = [];

  constructor(request: EmbeddingsRequest) {
    this.#request = request;
  }

  push({ promptIndex, event }: PromptedEvent): void {
    if (event.type === 'prompt' && event.embedding !== undefined)
      this.#embeddings.set(promptIndex, event.embedding);
    if (event.type === 'finished') this.#usages.push(event.usage);
  }

  body(): object {
    const tokens = this.#usages.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
    return {
      object: 'list',
      data: this.#request.requests.map((_, index) => ({
        object: 'embedding',
        index,
        embedding: this.#encoded(this.#embeddings.get(index) ?? new Float32Array()),
      })),
      model: this.#request.model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  }

  /** Little-endian f32 as base64, or numbers. */
  #encoded(values: Float32Array): string | number[] {
    if (!this.#request.isBase64)
      return Array.from(values, (value) => Number(value.toPrecision(FLOAT_DIGITS)));
    return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
  }
}
