/** Reads the small files that lie beside a tokenizer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileFault } from '../../core/file-fault.js';
import { withoutMark } from '../../core/file-json.js';
import { parseFileObject } from './hf-json.js';

/** The file's bytes, or undefined when there is no such file. @throws {AloftError} FILE_UNREADABLE, TOO_MANY_FILES */
export async function readFileIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined;
    throw fileFault(path, thrown);
  }
}

/** True for the error of a path at which there is nothing. */
export function isAbsent(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** The file's text without a byte order mark, or undefined when there is no such file. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  const bytes = await readFileIfPresent(path);
  return bytes && withoutMark(bytes.toString('utf8'));
}

/** The object in a JSON file, or an empty one when there is no such file. @throws {AloftError} TOKENIZER_INVALID */
export async function readJsonIfPresent(directory: string, name: string): Promise<Record<string, unknown>> {
  const path = join(directory, name);
  const text = await readTextIfPresent(path);
  return text === undefined ? {} : parseFileObject(text, path);
}
