/** Results of PyTorch and Hugging Face transformers: the files of `oracle/`, described in its README. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSafetensorsFile } from '../builder/checkpoint/safetensors-file.js';

const ORACLE = new URL('../../oracle/', import.meta.url);

export function referencePath(name: string): string {
  return fileURLToPath(new URL(name, ORACLE));
}

export function referenceJson(name: string): unknown {
  return JSON.parse(readFileSync(referencePath(name), 'utf8'));
}

/** Copies of all float32 tensors of a file. */
export function referenceTensors(name: string): ReadonlyMap<string, Float32Array> {
  const file = openSafetensorsFile(referencePath(name));
  try {
    return new Map(
      file.names.map((tensor) => {
        const { bytes } = file.read(tensor);
        return [tensor, new Float32Array(Uint8Array.from(bytes).buffer)];
      }),
    );
  } finally {
    file.dispose();
  }
}
