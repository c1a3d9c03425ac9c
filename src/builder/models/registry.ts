import { AloftError } from '../../core/errors.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { architectureOf, type ModelConfig } from '../checkpoint/model-config.js';
import { chatglm } from './chatglm.js';
import { gemma2, gemma3 } from './gemma.js';
import { glm, glm4 } from './glm.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import type { ModelFile } from './model-file.js';
import { mixtral } from './mixtral.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';
import { qwen3Moe } from './qwen3-moe.js';

const MODEL_FILES: readonly ModelFile[] = [
  llama,
  mistral,
  mixtral,
  qwen2,
  qwen3,
  qwen3Moe,
  gemma2,
  gemma3,
  phi3,
  chatglm,
  glm,
  glm4,
];

/** The typed form of a config.json, by the architecture that it names. @throws {AloftError} CHECKPOINT_CONFIG, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function readConfig(file: JsonFile): ModelConfig {
  refuseBidirectional(file);
  const byType = MODEL_FILES.find(({ modelType }) => modelType === file.fields['model_type']);
  const architecture = architectureOf(file, byType?.architectures[0]);
  const named = new JsonFile(file.path, { ...file.fields, architectures: [withHead(architecture)] });
  return modelFileFor(withHead(architecture), file.path).readConfig(named);
}

/** Fields by which models of embeddings say that their tokens see those behind them. */
const BIDIRECTIONAL = [
  ['is_causal', false],
  ['use_bidirectional_attention', true],
] as const;

/** @throws {AloftError} UNSUPPORTED */
function refuseBidirectional({ path, fields }: JsonFile): void {
  const found = BIDIRECTIONAL.find(([name, value]) => fields[name] === value);
  if (found === undefined) return;
  throw new AloftError(
    'UNSUPPORTED',
    `${path}: '${found[0]}' says that tokens see those behind them, which is not supported; use a model with causal attention.`,
  );
}

/** The architecture of a model that was saved without its head: models of embeddings are published as `MistralModel`. */
function withHead(architecture: string): string {
  const whole = architecture.replace(/Model$/, 'ForCausalLM');
  return MODEL_FILES.some(({ architectures }) => architectures.includes(whole)) ? whole : architecture;
}

/** @param path the config.json that names it, for the message. @throws {AloftError} ARCHITECTURE_UNKNOWN */
export function modelFileFor(architecture: string, path: string): ModelFile {
  const found = MODEL_FILES.find((file) => file.architectures.includes(architecture));
  if (found !== undefined) return found;
  const known = MODEL_FILES.flatMap((file) => file.architectures);
  throw new AloftError(
    'ARCHITECTURE_UNKNOWN',
    `${path}: 'architectures' names '${architecture}', which Aloft does not know. ${nearestTo(architecture)}Known are ${known.join(', ')}.`,
  );
}

/** Letters that two names must begin with alike to be of one family: `Qwen`, `Phi3`, `Gemm`. */
const FAMILY_LETTERS = 4;

/** A sentence that names the architectures of the same family; empty when there are none. */
function nearestTo(architecture: string): string {
  const family = architecture.slice(0, FAMILY_LETTERS).toLowerCase();
  const near = MODEL_FILES.filter(({ architectures }) =>
    architectures.some((name) => name.toLowerCase().startsWith(family)),
  );
  if (near.length === 0) return '';
  const names = near.map(({ name, architectures }) => `${architectures[0]} (${name})`).join(', ');
  return `The nearest are ${names}: text models with other layers or tensor names. `;
}
