/** Objects with attributes of their own: namespaces, cyclers, joiners. */
import { PythonError, typeError } from '../python-error.js';
import { Callable, type CallArguments, type Rendering } from './callable.js';
import { type AnyDict, Dict, dictPairs, isDict } from './dict.js';
import { itemsOf, listOf } from './iterate.js';
import { ADDRESS, PythonObject, asText, Tuple, Undefined, type Value } from './value.js';

/** `namespace(...)`: the one thing that `{% set %}` can change from within a loop. */
export class Namespace extends PythonObject {
  readonly typeName = 'Namespace';
  readonly #attributes: Map<string, Value>;

  constructor(initial: AnyDict) {
    super();
    this.#attributes = new Map(
      Array.from(dictPairs(initial)).flatMap(([key, value]) => {
        const name = asText(key);
        return name === undefined ? [] : [[name, value] as const];
      }),
    );
  }

  override get qualifiedTypeName(): string {
    return 'jinja2.utils.Namespace';
  }

  override attribute(name: string): Value | undefined {
    return this.#attributes.get(name);
  }

  assign(name: string, value: Value): void {
    this.#attributes.set(name, value);
  }

  override repr(reprOf: (part: Value) => string): string {
    return `<Namespace ${reprOf(Dict.ofNames(this.#attributes))}>`;
  }
}

/** `cycler(...)` */
export class Cycler extends PythonObject {
  readonly typeName = 'Cycler';
  readonly #items: readonly Value[];
  #position = 0;

  constructor(items: readonly Value[]) {
    super();
    if (items.length === 0) throw new PythonError('RuntimeError', 'at least one item has to be provided');
    this.#items = items;
  }

  override get qualifiedTypeName(): string {
    return 'jinja2.utils.Cycler';
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'pos':
        return this.#position;
      case 'items':
        return new Tuple(this.#items);
      case 'current':
        return this.#items[this.#position]!;
      case 'next':
        return new BoundFunction('next', () => this.#next());
      case 'reset':
        return new BoundFunction('reset', () => {
          this.#position = 0;
          return null;
        });
      default:
        return undefined;
    }
  }

  #next(): Value {
    const item = this.#items[this.#position]!;
    this.#position = (this.#position + 1) % this.#items.length;
    return item;
  }
}

/** `joiner(separator)`: nothing at the first call, then the separator. */
export class Joiner extends Callable {
  readonly typeName = 'Joiner';
  readonly #separator: Value;
  #isUsed = false;

  constructor(separator: Value) {
    super();
    this.#separator = separator;
  }

  override get qualifiedTypeName(): string {
    return 'jinja2.utils.Joiner';
  }

  override attribute(name: string): Value | undefined {
    return name === 'sep' ? this.#separator : name === 'used' ? this.#isUsed : undefined;
  }

  override call(): Value {
    if (this.#isUsed) return this.#separator;
    this.#isUsed = true;
    return '';
  }
}

/** A function that the interpreter gives to templates. */
export class BoundFunction extends Callable {
  readonly typeName: string;
  readonly #name: string;
  readonly #run: (rendering: Rendering, given: CallArguments) => Value;

  constructor(
    name: string,
    run: (rendering: Rendering, given: CallArguments) => Value,
    typeName = 'builtin_function_or_method',
  ) {
    super();
    this.#name = name;
    this.#run = run;
    this.typeName = typeName;
  }

  override call(rendering: Rendering, given: CallArguments): Value {
    return this.#run(rendering, given);
  }

  override repr(): string {
    return this.typeName === 'type' ? `<class '${this.#name}'>` : `<function ${this.#name} at ${ADDRESS}>`;
  }
}

/** `dict(mapping_or_pairs, **named)` @throws {PythonError} TypeError, ValueError */
export function makeDict(rendering: Rendering, { positional, named }: CallArguments): Dict {
  if (positional.length > 1) throw typeError(`dict expected at most 1 argument, got ${positional.length}`);
  const given = positional[0];
  const pairs = given === undefined ? [] : pairsOf(rendering, given);
  return Dict.of(rendering, [...pairs, ...named]);
}

function* pairsOf(rendering: Rendering, value: Value): Generator<readonly [Value, Value]> {
  if (value instanceof Undefined) value.fail();
  if (isDict(value)) {
    yield* dictPairs(value);
    return;
  }
  let index = 0;
  for (const item of itemsOf(rendering, value)) {
    const pair = [...listOf(rendering, item)];
    if (pair.length !== 2)
      throw new PythonError(
        'ValueError',
        `dictionary update sequence element #${index} has length ${pair.length}; 2 is required`,
      );
    yield [pair[0]!, pair[1]!];
    index++;
  }
}
