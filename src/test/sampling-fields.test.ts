/** Every sampling parameter can be set by every interface, under the names and within the ranges of its row. */
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { fieldTensors } from '../client/text-request.js';
import { AloftError } from '../core/errors.js';
import type { GenerateRequest } from '../core/generate.js';
import type { RequestId } from '../core/ids.js';
import { NEUTRAL } from '../core/sampling.js';
import { SAMPLING_FIELD_NAMES, samplingField, type SamplingNumbers } from '../core/sampling-fields.js';
import { numberTensor, textTensor, type Tensor } from '../protocol/kserve/tensor.js';
import { readChatRequest } from '../protocol/openai/chat-request.js';
import { inMemberNames, memberNames } from '../protocol/openai/member-names.js';
import { repositoryConfigs, type RepositorySettings } from '../serve/repository/templates.js';
import { ALWAYS_OPTIONAL, inputField, outputField } from '../serve/tensors/fields.js';
import { fieldNamesOf, modelInterface } from '../serve/tensors/interface.js';
import { readTensorRequest } from '../serve/tensors/tensor-request.js';
import { toTokenRequest } from '../text/request/token-request.js';
import { addSamplingFlags, samplingFlags, samplingTensors } from '../tools/cli/sampling-flags.js';

/** Values that are neither neutral nor greedy, exact in 32 bits, and within every interface's range. */
const VALUES: SamplingNumbers = {
  temperature: 0.5,
  topK: 7,
  topP: 0.75,
  minP: 0.125,
  repetitionPenalty: 1.5,
  presencePenalty: 0.25,
  frequencyPenalty: -0.5,
  minTokens: 3,
};

const REPOSITORY: RepositorySettings = {
  engineDirectory: '/engine',
  tokenizerDirectory: '/engine',
  maxBatchSize: 8,
  decoupled: false,
  excludeInputInOutput: false,
  embeds: false,
  options: {},
};

function tokenRequest(fields: Partial<SamplingNumbers>) {
  const request: GenerateRequest = { prompt: { type: 'tokens', tokenIds: [1] }, ...fields };
  const limits = {
    vocabulary: 100,
    maxInputTokens: 10,
    maxOutputTokens: 10,
    maxSequenceTokens: 20,
    maxSequenceCount: 4,
    maxBeamWidth: 1,
    maxTopLogprobs: 0,
  };
  const encoded = { id: 'r' as RequestId, promptTokenIds: [1], badWords: [], randomSeed: 0n };
  return toTokenRequest(request, encoded, { limits, defaults: { ...NEUTRAL, doSample: false, endIds: [] } });
}

function openAi(members: Record<string, number>): GenerateRequest {
  return readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'x' }], ...members }).request;
}

const MODELS = { text: ['tensorrt_llm_bls', 'bls'], engine: ['tensorrt_llm', 'engine'] } as const;

function interfaceOf(level: keyof typeof MODELS) {
  const [model, kind] = MODELS[level];
  const config = repositoryConfigs(REPOSITORY).get(model)!;
  const input = (name: string) => inputField(kind, name);
  return modelInterface(config, { input, output: (name) => outputField(kind, name) }, ALWAYS_OPTIONAL);
}

/** The request that a model of `level` makes of one more tensor than it needs. */
function fromTensor(level: keyof typeof MODELS, tensor: Tensor): GenerateRequest | undefined {
  const needed = {
    text: [textTensor('text_input', [1, 1], ['x']), numberTensor('max_tokens', 'INT32', [1, 1], [4])],
    engine: [
      numberTensor('input_ids', 'INT32', [1, 1], [1]),
      numberTensor('input_lengths', 'INT32', [1, 1], [1]),
      numberTensor('request_output_len', 'INT32', [1, 1], [4]),
    ],
  };
  const inputs = [...needed[level], tensor];
  const request = { modelName: 'm', modelVersion: '', id: '', parameters: {}, inputs, outputs: [] };
  return readTensorRequest(request, interfaceOf(level), { batchSize: 1, vocabulary: 0 }).rows[0];
}

describe.each(SAMPLING_FIELD_NAMES)('%s', (name) => {
  const { openAi: member, tensor, flag, neutral } = samplingField(name);
  const value = VALUES[name];

  test('reaches the engine', () => {
    expect(tokenRequest({ [name]: value }).sampling[name]).toBe(value);
    expect(tokenRequest({ [name]: neutral }).sampling[name]).toBe(neutral);
  });

  test('is refused when it is no number, in the words of each interface', () => {
    let fault: unknown;
    try {
      tokenRequest({ [name]: NaN });
    } catch (thrown) {
      fault = thrown;
    }
    expect(fault).toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringMatching(`^${name} must be`),
    });
    expect(inMemberNames(fault as AloftError, memberNames('prompt'))).toMatchObject({ param: member.name });
    expect(fieldNamesOf(interfaceOf('text'))[name]).toBe(tensor.text);
    expect(fieldNamesOf(interfaceOf('engine'))[name]).toBe(tensor.engine);
  });

  test('is a member of OpenAI requests', () => {
    expect(openAi({ [member.name]: value })[name]).toBe(value);
    expect(openAi({})[name]).toBe(member.default);
    const { max } = member.range;
    if (max !== undefined)
      expect(() => openAi({ [member.name]: max + 1 })).toThrow(
        expect.objectContaining({ param: member.name }),
      );
  });

  test('is a tensor of models that take text or token ids', () => {
    for (const level of ['text', 'engine'] as const) {
      const sent = numberTensor(tensor[level], tensor.type, [1, 1], [value]);
      expect(fromTensor(level, sent)?.[name]).toBe(value);
    }
  });

  test('is a flag of the command line, and sent by the client', () => {
    const command = addSamplingFlags(new Command()).exitOverride();
    command.parse([flag.spec.split(' ')[0]!, String(value)], { from: 'user' });
    const given = samplingFlags(command);
    expect(given).toEqual({ [name]: value });
    expect(samplingTensors(given)).toMatchObject({ [tensor.engine]: value });
    const { minTokens: minLength, ...others } = given;
    const request = {
      prompt: 'x',
      maxTokens: 4,
      ...others,
      ...(minLength === undefined ? {} : { minLength }),
    };
    expect(fieldTensors(request)).toContainEqual({ name: tensor.text, datatype: tensor.type, value });
  });
});
