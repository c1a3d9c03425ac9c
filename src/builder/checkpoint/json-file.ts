import { readFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';

/** A JSON object of a checkpoint whose fields are read with checks; every fault names file, field and fix. */
export class JsonFile {
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(path: string, fields: Readonly<Record<string, unknown>>) {
    this.path = path;
    this.fields = fields;
  }

  /** @throws {AloftError} CHECKPOINT_CORRUPT */
  static read(path: string): JsonFile {
    let parsed: unknown;
    try {
      parsed = JSON.parse(readFileSync(path, 'utf8'));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AloftError(
        'CHECKPOINT_CORRUPT',
        `${path} is not valid JSON (${reason}). Download it again.`,
        {
          cause,
        },
      );
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new AloftError('CHECKPOINT_CORRUPT', `${path} is not a JSON object. Download it again.`);
    return new JsonFile(path, parsed as Record<string, unknown>);
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  /** A whole number of at least 1. @param fallback value when the field is absent; without one it is required */
  count(name: string, fallback?: number): number {
    const value = this.#value(name, fallback);
    if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
    return this.fail(name, 'a whole number of at least 1');
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
    if (ids.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)) return ids as number[];
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
    const fault = this.has(name)
      ? `is ${JSON.stringify(this.fields[name])}, but must be ${wanted}`
      : `is missing; it must be ${wanted}`;
    throw new AloftError('CHECKPOINT_CONFIG', `${this.path}: '${name}' ${fault}. Correct the file.`);
  }

  #value(name: string, fallback: unknown): unknown {
    return this.has(name) ? this.fields[name] : fallback;
  }
}
