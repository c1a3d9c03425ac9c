/** Facts about a model from its files, without building or loading it. */
import { statSync } from 'node:fs';
import type { Checkpoint } from '../../builder/checkpoint/checkpoint.js';
import type { ModelConfig } from '../../builder/checkpoint/model-config.js';
import { openCheckpoint, readModelConfig } from '../../builder/checkpoint/open.js';
import type { GivenFlags } from '../../builder/flag-reader.js';
import { modelFileFor } from '../../builder/models/registry.js';
import { resolveBuildOptions } from '../../builder/resolve-options.js';
import type { DeviceName } from '../../core/device.js';
import { elementCount } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import { callFormatOf } from '../../text/calls/call-formats.js';
import { thoughtTagsOf } from '../../text/calls/thought-tags.js';
import { loadChatTemplate } from '../../text/load-chat-template.js';
import { loadTokenizer } from '../../text/tokenizer/load.js';
import { kvBytesPerToken } from '../../run/executor/opening/memory-plan.js';
import { dryBuild, type DryEngine, type DryTarget } from '../memory/dry-run.js';

/** Tensors of one type, as the files store them. */
interface StoredType {
  readonly name: string;
  readonly tensorCount: number;
  readonly elements: number;
}

export interface TokenizerFacts {
  readonly tokenCount: number;
  readonly bos: string | undefined;
  readonly eos: string | undefined;
  readonly hasChatTemplate: boolean;
  /** Format of tool calls that the template asks for, by its name for `--tool-call-parser`. */
  readonly toolCalls: string | undefined;
  readonly hasThoughts: boolean;
}

/** Memory of an engine built in one way, for one rank. */
export interface BuiltMemory {
  readonly flags: string;
  readonly weightBytes: number;
  readonly kvBytesPerToken: number;
}

export interface Inspection {
  readonly path: string;
  readonly kind: 'checkpoint' | 'GGUF file';
  /** Name of the model in Aloft, such as `llama`. */
  readonly model: string;
  readonly config: ModelConfig;
  /** Numbers in its tensors; null without the weights, which say what they are themselves. */
  readonly parameterCount: number | null;
  /** Null without the weights. */
  readonly stored: readonly StoredType[] | null;
  /** Or the sentence that says why it cannot be used. */
  readonly tokenizer: TokenizerFacts | string;
  /** Numbers of ranks that the model divides over. */
  readonly worldSizes: readonly number[];
  /** Device that the memory is computed for. */
  readonly device: DeviceName;
  readonly memory: readonly BuiltMemory[];
  readonly warnings: readonly string[];
}

/** Ways to build that differ in memory. */
const BUILDS: readonly (readonly [flags: string, given: readonly (readonly [string, string | true])[]])[] = [
  ['', []],
  ['--kv_cache_dtype int8', [['kv_cache_dtype', 'int8']]],
  ['--use_weight_only', [['use_weight_only', true]]],
  [
    '--use_weight_only --kv_cache_dtype int8',
    [
      ['use_weight_only', true],
      ['kv_cache_dtype', 'int8'],
    ],
  ],
];
const RANK_COUNTS = Array.from({ length: 16 }, (_, i) => i + 1);
/** Engines that sizes are computed for, the first that the model fits. */
const TARGETS: readonly DryTarget[] = [
  { device: 'cuda', architecture: 'sm_90a' },
  { device: 'cpu', architecture: null },
];

/**
 * @param path a checkpoint's directory or a GGUF file
 * @throws {AloftError} CHECKPOINT_*, FILE_UNREADABLE, ARCHITECTURE_UNKNOWN, UNSUPPORTED
 */
export async function inspect(path: string): Promise<Inspection> {
  const checkpoint = openCheckpoint(path);
  try {
    const { config, tensors, warnings, tokenizerDirectory = path } = checkpoint;
    return {
      ...configFacts(config, path),
      parameterCount: tensors.names.reduce((sum, name) => sum + elementCount(tensors.info(name)!.shape), 0),
      stored: storedTypes(checkpoint),
      tokenizer: await tokenizerFacts(tokenizerDirectory),
      warnings,
    };
  } finally {
    checkpoint.tensors.dispose();
  }
}

/**
 * As {@link inspect}, of a checkpoint whose weights are not here.
 * @param path its directory, with its config.json and its tokenizer
 */
export async function inspectTexts(path: string): Promise<Inspection> {
  const facts = configFacts(readModelConfig(path), path);
  return {
    ...facts,
    parameterCount: null,
    stored: null,
    tokenizer: await tokenizerFacts(path),
    warnings: [],
  };
}

type ConfigFacts = Pick<
  Inspection,
  'path' | 'kind' | 'model' | 'config' | 'worldSizes' | 'device' | 'memory'
>;

/** Facts that follow from the configuration alone. */
function configFacts(config: ModelConfig, path: string): ConfigFacts {
  const target =
    TARGETS.find((device) => fits(() => dry(config, path, new Map(), device))) ?? TARGETS.at(-1)!;
  const size = (given: GivenFlags) => dry(config, path, given, target);
  return {
    path,
    kind: statSync(path).isDirectory() ? 'checkpoint' : 'GGUF file',
    model: modelFileFor(config.architecture, config.path).name,
    config,
    worldSizes: RANK_COUNTS.filter((ranks) => fits(() => size(rankFlags(ranks)))),
    device: target.device,
    memory: BUILDS.map(([flags, given]) => {
      const { plan, weightBytes } = size(new Map(given));
      return { flags, weightBytes, kvBytesPerToken: kvBytesPerToken(plan.dims, plan.kvDtype) };
    }),
  };
}

function storedTypes({ tensors }: Checkpoint): StoredType[] {
  const byName = new Map<string, StoredType>();
  for (const tensor of tensors.names) {
    const { dtypeName: name, shape } = tensors.info(tensor)!;
    const { tensorCount, elements } = byName.get(name) ?? { tensorCount: 0, elements: 0 };
    byName.set(name, { name, tensorCount: tensorCount + 1, elements: elements + elementCount(shape) });
  }
  return [...byName.values()].toSorted((a, b) => b.elements - a.elements);
}

/** @param directory a checkpoint or an engine */
export async function tokenizerFacts(directory: string): Promise<TokenizerFacts | string> {
  try {
    const tokenizer = await loadTokenizer(directory);
    const { specialTokens, table } = tokenizer;
    const template = await loadChatTemplate(directory, specialTokens);
    return {
      tokenCount: table.tokenCount,
      bos: specialTokens.bos_token,
      eos: specialTokens.eos_token,
      hasChatTemplate: template !== undefined,
      toolCalls: template && callFormatOf(template.toolSource),
      hasThoughts: template !== undefined && thoughtTagsOf(template.toolSource) !== undefined,
    };
  } catch (fault) {
    if (fault instanceof AloftError) return fault.message;
    throw fault;
  }
}

/** The engine that would be built. @throws {AloftError} as {@link dryBuild} */
function dry(config: ModelConfig, path: string, given: GivenFlags, target: DryTarget): DryEngine {
  return dryBuild(config, resolveBuildOptions(new Map([['model_dir', path], ...given])).options, target);
}

const rankFlags = (ranks: number): GivenFlags =>
  new Map([
    ['tp_size', String(ranks)],
    ['world_size', String(ranks)],
  ]);

function fits(define: () => DryEngine): boolean {
  try {
    define();
    return true;
  } catch (fault) {
    if (fault instanceof AloftError) return false;
    throw fault;
  }
}
