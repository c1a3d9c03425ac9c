import { readFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import { type FileJson, parseFileJson } from '../../core/file-json.js';

/** A JSON object of a checkpoint whose fields are read with checks; every fault names file, field and fix. */
export class JsonFile {
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Members at any depth whose number JSON has no notation for, such as `NaN`. */
  readonly nonFinite: readonly string[];

  constructor(path: string, fields: Readonly<Record<string, unknown>>, nonFinite: readonly string[] = []) {
    this.path = path;
    this.fields = fields;
    this.nonFinite = nonFinite;
  }

  /** @throws {AloftError} CHECKPOINT_CORRUPT, FILE_UNREADABLE */
  static read(path: string): JsonFile {
    const { value, nonFinite } = parse(path);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new AloftError('CHECKPOINT_CORRUPT', `${path} is not a JSON object. Download it again.`);
    return new JsonFile(path, value as Record<string, unknown>, nonFinite);
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  /** A whole number of at least 1. @param fallback value when the field is absent; without one it is required */
  /** @param max what no model comes near; sizes beyond it would be made before anything else can refuse them */
  count(name: string, fallback?: number, max = 2 ** 24): number {
    const value = this.#value(name, fallback);
    const isCount = Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max;
    return isCount ? (value as number) : this.fail(name, `a whole number from 1 to ${max}`);
  }

  positive(name: string, fallback?: number): number {
    const value = this.#value(name, fallback);
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    return this.fail(name, 'a number above 0');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#value(name, fallback);
    return typeof value === 'boolean' ? value : this.fail(name, 'true or false');
  }

  text(name: string, fallback?: string): string {
    const value = this.#value(name, fallback);
    return typeof value === 'string' ? value : this.fail(name, 'a string');
  }

  /** A nested object, or undefined when absent. */
  section(name: string): JsonFile | undefined {
    if (!this.has(name)) return undefined;
    const value = this.fields[name];
    if (typeof value !== 'object' || Array.isArray(value)) return this.fail(name, 'an object');
    return new JsonFile(this.path, value as Record<string, unknown>);
  }

  /** A token id, a list of them, or null: as a list. */
  tokenIds(name: string): number[] {
    if (!this.has(name)) return [];
    const value = this.fields[name];
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    // Some files say -1 for "none".
    if (ids.every((id) => Number.isSafeInteger(id))) return (ids as number[]).filter((id) => id >= 0);
    return this.fail(name, 'a token id or a list of token ids');
  }

  /** A number, or null when the field is absent. */
  optionalNumber(name: string): number | null {
    if (!this.has(name)) return null;
    const value = this.fields[name];
    return typeof value === 'number' && Number.isFinite(value) ? value : this.fail(name, 'a number');
  }

  /** @throws {AloftError} CHECKPOINT_CONFIG */
  fail(name: string, wanted: string): never {
    const value = this.fields[name];
    const shown = typeof value === 'number' ? String(value) : JSON.stringify(value);
    const fault = this.has(name) ? `is ${shown}, but must be ${wanted}` : `is missing; it must be ${wanted}`;
    throw new AloftError('CHECKPOINT_CONFIG', `${this.path}: '${name}' ${fault}. Correct the file.`);
  }

  #value(name: string, fallback: unknown): unknown {
    return this.has(name) ? this.fields[name] : fallback;
  }
}

function parse(path: string): FileJson {
  const text = readingFile(path, () => readFileSync(path, 'utf8'));
  try {
    return parseFileJson(text);
  } catch (cause) {
    const reason = text.trim() === '' ? 'it is empty' : (cause as SyntaxError).message;
    throw new AloftError('CHECKPOINT_CORRUPT', `${path} is not valid JSON (${reason}). Download it again.`, {
      cause,
    });
  }
}
