import { AloftError } from '../../core/errors.js';
import { llama } from './llama.js';
import type { ModelFile } from './model-file.js';

const MODEL_FILES: readonly ModelFile[] = [llama];

/** @param path the config.json that names it, for the message. @throws {AloftError} ARCHITECTURE_UNKNOWN */
export function modelFileFor(architecture: string, path: string): ModelFile {
  const found = MODEL_FILES.find((file) => file.architectures.includes(architecture));
  if (found !== undefined) return found;
  const known = MODEL_FILES.flatMap((file) => file.architectures);
  throw new AloftError(
    'ARCHITECTURE_UNKNOWN',
    `${path}: 'architectures' names '${architecture}', which Aloft does not know. Known are ${known.join(', ')}.`,
  );
}
