/** Configurations that `aloft repo create` writes: the models of tensorrtllm_backend, with complete values. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  DataType,
  ModelConfigSchema,
  ModelInstanceGroup_Kind,
  type ModelConfig,
} from '../../protocol/gen/model_config_pb.js';
import {
  ENGINE_INPUTS,
  ENGINE_OUTPUTS,
  ENSEMBLE_NAMES,
  PASSED_OUTPUTS,
  type TemplateTensor,
  TEXT_INPUTS,
} from './template-tensors.js';

import type { EngineOptions } from '../../core/engine-options.js';
import { optionParameters } from './option-parameters.js';

export interface RepositorySettings {
  readonly engineDirectory: string;
  readonly tokenizerDirectory: string;
  readonly maxBatchSize: number;
  readonly decoupled: boolean;
  readonly excludeInputInOutput: boolean;
  /** Options that the engine's configuration sets. */
  readonly options: EngineOptions;
  /** The engine makes embeddings. */
  readonly embeds: boolean;
}

/** By model name. */
export function repositoryConfigs(settings: RepositorySettings): ReadonlyMap<string, ModelConfig> {
  const generating = [ensemble, preprocessing, engine, postprocessing, bls];
  const makers = settings.embeds ? [engine, embedding] : generating;
  const models = makers.map((make) => make(settings));
  return new Map(models.map((config) => [config.name ?? '', create(ModelConfigSchema, config)]));
}

type Config = MessageInitShape<typeof ModelConfigSchema>;

function inputs(tensors: readonly TemplateTensor[]): NonNullable<Config['input']> {
  return tensors.map(([name, type, dims, kind]) => ({
    name,
    dataType: DataType[type],
    dims: dims.map(BigInt),
    optional: kind === 'optional',
  }));
}

function outputs(tensors: readonly TemplateTensor[]): NonNullable<Config['output']> {
  return tensors.map(([name, type, dims]) => ({ name, dataType: DataType[type], dims: dims.map(BigInt) }));
}

function parameters(
  values: Readonly<Record<string, string | number | boolean | undefined>>,
): NonNullable<Config['parameters']> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, { stringValue: String(value) }]));
}

const ON_CPU: Pick<Config, 'instanceGroup'> = {
  instanceGroup: [{ count: 1, kind: ModelInstanceGroup_Kind.CPU }],
};

function engine(settings: RepositorySettings): Config {
  return {
    name: 'tensorrt_llm',
    backend: 'tensorrtllm',
    maxBatchSize: settings.maxBatchSize,
    modelTransactionPolicy: { decoupled: settings.decoupled },
    schedulingChoice: {
      case: 'dynamicBatching',
      value: {
        // Requests may be more or less urgent than those that say nothing.
        priorityLevels: 3n,
        defaultPriorityLevel: 2n,
        defaultQueuePolicy: {
          maxQueueSize: settings.options.maxQueuedRequests ?? 0,
          allowTimeoutOverride: true,
        },
      },
    },
    input: inputs(ENGINE_INPUTS),
    output: outputs(ENGINE_OUTPUTS),
    ...ON_CPU,
    parameters: parameters({
      gpt_model_path: settings.engineDirectory,
      tokenizer_dir: settings.tokenizerDirectory,
      exclude_input_in_output: settings.excludeInputInOutput,
      ...optionParameters(settings.options),
    }),
  };
}

function preprocessing(settings: RepositorySettings): Config {
  return {
    name: 'preprocessing',
    backend: 'python',
    maxBatchSize: settings.maxBatchSize,
    input: inputs([
      ['QUERY', 'TYPE_STRING', [-1]],
      ['REQUEST_OUTPUT_LEN', 'TYPE_INT32', [-1]],
      ['BAD_WORDS_DICT', 'TYPE_STRING', [-1], 'optional'],
      ['STOP_WORDS_DICT', 'TYPE_STRING', [-1], 'optional'],
      ['END_ID', 'TYPE_INT32', [1], 'optional'],
      ['PAD_ID', 'TYPE_INT32', [1], 'optional'],
    ]),
    output: outputs([
      ['INPUT_ID', 'TYPE_INT32', [-1]],
      ['REQUEST_INPUT_LEN', 'TYPE_INT32', [1]],
      ['DECODER_INPUT_ID', 'TYPE_INT32', [-1]],
      ['REQUEST_DECODER_INPUT_LEN', 'TYPE_INT32', [1]],
      ['BAD_WORDS_IDS', 'TYPE_INT32', [2, -1]],
      ['STOP_WORDS_IDS', 'TYPE_INT32', [2, -1]],
      ['REQUEST_OUTPUT_LEN', 'TYPE_INT32', [-1]],
      ['OUT_END_ID', 'TYPE_INT32', [1]],
      ['OUT_PAD_ID', 'TYPE_INT32', [1]],
    ]),
    ...ON_CPU,
    parameters: parameters({ tokenizer_dir: settings.tokenizerDirectory, add_special_tokens: true }),
  };
}

function postprocessing(settings: RepositorySettings): Config {
  return {
    name: 'postprocessing',
    backend: 'python',
    maxBatchSize: settings.maxBatchSize,
    input: inputs([
      ['TOKENS_BATCH', 'TYPE_INT32', [-1, -1]],
      ['SEQUENCE_LENGTH', 'TYPE_INT32', [-1], 'optional'],
    ]),
    output: outputs([['OUTPUT', 'TYPE_STRING', [-1]]]),
    ...ON_CPU,
    parameters: parameters({ tokenizer_dir: settings.tokenizerDirectory, skip_special_tokens: true }),
  };
}

function bls(settings: RepositorySettings): Config {
  return {
    name: 'tensorrt_llm_bls',
    backend: 'python',
    maxBatchSize: settings.maxBatchSize,
    modelTransactionPolicy: { decoupled: settings.decoupled },
    input: inputs(TEXT_INPUTS),
    output: outputs([['text_output', 'TYPE_STRING', [-1]], ...PASSED_OUTPUTS]),
    ...ON_CPU,
    parameters: parameters({ tensorrt_llm_model_name: 'tensorrt_llm', accumulate_tokens: true }),
  };
}

/** No model of tensorrtllm_backend: a text in, its embedding out. */
function embedding(settings: RepositorySettings): Config {
  return {
    name: 'embedding',
    backend: 'python',
    maxBatchSize: settings.maxBatchSize,
    input: inputs([
      ['text_input', 'TYPE_STRING', [1]],
      ['dimensions', 'TYPE_INT32', [1], 'optional'],
      ['return_num_input_tokens', 'TYPE_BOOL', [1], 'optional'],
    ]),
    output: outputs([
      ['embedding', 'TYPE_FP32', [-1]],
      ['num_input_tokens', 'TYPE_INT32', [1]],
    ]),
    ...ON_CPU,
    parameters: parameters({ tensorrt_llm_model_name: 'tensorrt_llm' }),
  };
}

function ensemble(settings: RepositorySettings): Config {
  const engineInputs = ENGINE_INPUTS.filter(
    ([name]) => name !== 'embedding_bias' && name !== 'decoder_input_ids',
  );
  const pass = (tensors: readonly TemplateTensor[]) =>
    Object.fromEntries(tensors.map(([name]) => [name, ENSEMBLE_NAMES[name] ?? name]));
  const step = (modelName: string, inputMap: Record<string, string>, outputMap: Record<string, string>) => ({
    modelName,
    modelVersion: -1n,
    inputMap,
    outputMap,
  });
  return {
    name: 'ensemble',
    platform: 'ensemble',
    maxBatchSize: settings.maxBatchSize,
    input: inputs(TEXT_INPUTS),
    output: outputs([['text_output', 'TYPE_STRING', [-1]], ...PASSED_OUTPUTS]),
    schedulingChoice: {
      case: 'ensembleScheduling',
      value: {
        step: [
          step(
            'preprocessing',
            {
              QUERY: 'text_input',
              REQUEST_OUTPUT_LEN: 'max_tokens',
              BAD_WORDS_DICT: 'bad_words',
              STOP_WORDS_DICT: 'stop_words',
            },
            {
              INPUT_ID: '_INPUT_ID',
              REQUEST_INPUT_LEN: '_REQUEST_INPUT_LEN',
              REQUEST_OUTPUT_LEN: '_REQUEST_OUTPUT_LEN',
              BAD_WORDS_IDS: '_BAD_WORDS_IDS',
              STOP_WORDS_IDS: '_STOP_WORDS_IDS',
            },
          ),
          step('tensorrt_llm', pass(engineInputs), {
            ...pass(PASSED_OUTPUTS),
            output_ids: '_TOKENS_BATCH',
            sequence_length: '_SEQUENCE_LENGTH',
          }),
          step(
            'postprocessing',
            { TOKENS_BATCH: '_TOKENS_BATCH', SEQUENCE_LENGTH: '_SEQUENCE_LENGTH' },
            { OUTPUT: 'text_output' },
          ),
        ],
      },
    },
  };
}
