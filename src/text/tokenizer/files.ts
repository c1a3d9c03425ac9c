/** Reads the small JSON files that lie beside a tokenizer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { parseFileObject } from './hf-json.js';

/** The file's bytes, or undefined when there is no such file. @throws {AloftError} TOKENIZER_INVALID when it is unreadable. */
export async function readFileIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AloftError(
      'TOKENIZER_INVALID',
      `${path} cannot be read (${code ?? 'unknown fault'}); check its permissions.`,
      { cause },
    );
  }
}

/** The object in a JSON file, or an empty one when there is no such file. @throws {AloftError} TOKENIZER_INVALID */
export async function readJsonIfPresent(directory: string, name: string): Promise<Record<string, unknown>> {
  const path = join(directory, name);
  const bytes = await readFileIfPresent(path);
  return bytes ? parseFileObject(bytes.toString('utf8'), path) : {};
}
