import { AloftError, suggestion } from '../core/errors.js';
import type { BuildFlag } from './build-flags.js';

/** Flags as they were typed: name with underscores -> its text, its words, or true when it stood alone. */
export type GivenFlags = ReadonlyMap<string, string | readonly string[] | true>;

/** Reads given flags by the rules of a table. Asking for a name that the table lacks is a fault of the program. */
export class FlagReader {
  readonly #given: GivenFlags;
  readonly #flags: ReadonlyMap<string, BuildFlag>;

  constructor(given: GivenFlags, flags: readonly BuildFlag[]) {
    this.#given = given;
    this.#flags = new Map(flags.map((flag) => [flag.name, flag]));
  }

  /** Checks names and values of everything that was given. @throws {AloftError} USAGE */
  checkAll(): void {
    for (const name of this.#given.keys()) {
      const flag = this.#flags.get(name);
      if (flag === undefined) this.#unknown(name);
      else if (flag.kind.type === 'whole' || flag.kind.type === 'real') this.number(name);
      else if (flag.kind.type === 'scaling') this.words(name);
      else if (flag.kind.type !== 'switch') this.text(name);
    }
  }

  given(name: string): boolean {
    return this.#given.has(name);
  }

  /** Text of a flag that is a text or a choice; its default when it is not given. @throws {AloftError} USAGE */
  text(name: string): string {
    const { kind, fallback } = this.#flags.get(name)!;
    const given = this.#given.get(name);
    if (given === undefined) return String(fallback);
    if (kind.type === 'optionalChoice' && given === true) return kind.bare;
    if (typeof given !== 'string' || given === '') return this.#fail(name, 'needs a value');
    if ((kind.type === 'choice' || kind.type === 'optionalChoice') && !kind.choices.includes(given))
      this.#fail(name, `is '${given}', but must be one of ${kind.choices.join(', ')}`);
    return given;
  }

  /** A number, or the default when it is not given. @throws {AloftError} USAGE */
  number(name: string): number {
    const { kind, fallback } = this.#flags.get(name)!;
    const given = this.#given.get(name);
    if (given === undefined) return Number(fallback);
    const value = typeof given === 'string' && given.trim() !== '' ? Number(given) : NaN;
    if (kind.type === 'whole' && !(Number.isSafeInteger(value) && value >= kind.min && value <= kind.max))
      this.#fail(name, `is '${String(given)}', but must be a whole number from ${kind.min} to ${kind.max}`);
    if (kind.type === 'real' && !(value > kind.min || (value === kind.min && kind.min > 0)))
      this.#fail(name, `is '${String(given)}', but must be a number above ${kind.min}`);
    return value;
  }

  /** Several words. @throws {AloftError} USAGE */
  words(name: string): readonly [string, string] {
    const given = this.#given.get(name);
    const words = typeof given === 'string' ? given.split(/[\s,]+/) : given;
    if (!Array.isArray(words) || words.length !== 2)
      return this.#fail(name, 'needs two words, such as linear 2');
    return [String(words[0]), String(words[1])];
  }

  #unknown(name: string): never {
    const near = suggestion(name, Array.from(this.#flags.keys()));
    throw new AloftError(
      'USAGE',
      `There is no flag --${name}.${near === undefined ? '' : ` Did you mean --${near}?`}`,
    );
  }

  #fail(name: string, fault: string): never {
    throw new AloftError('USAGE', `--${name} ${fault}.`);
  }
}
