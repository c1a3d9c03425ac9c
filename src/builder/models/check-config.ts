import { AloftError } from '../../core/errors.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import type { ModelConfig } from '../checkpoint/model-config.js';

/** @throws {AloftError} UNSUPPORTED when the model uses another activation than its architecture's published checkpoints */
export function expectActivation({ path, architecture, activation }: ModelConfig, ...known: readonly string[]): void {
  if (known.includes(activation)) return;
  throw new AloftError(
    'UNSUPPORTED',
    `${path}: 'hidden_act' is '${activation}', but models of ${architecture} here use ${known.map((name) => `'${name}'`).join(' or ')}.`,
  );
}

/**
 * Refuses a config that turns on what a model file lacks.
 * @param expected value that the field has in all published checkpoints, also when it is absent
 * @throws {AloftError} UNSUPPORTED
 */
export function expectFlag(file: JsonFile, name: string, expected: boolean): void {
  if (file.flag(name, expected) === expected) return;
  throw new AloftError(
    'UNSUPPORTED',
    `${file.path}: '${name}' is ${String(!expected)}, but only models with ${String(expected)} are supported.`,
  );
}
