/** The variable `loop`. */
import { PythonError, typeError } from '../python-error.js';
import { Callable, type CallArguments, type Rendering } from '../values/callable.js';
import { equals } from '../values/compare.js';
import { sizeOf } from '../values/iterate.js';
import { BoundFunction } from '../values/objects.js';
import { Tuple, Undefined, type Value } from '../values/value.js';

/** Renders the loop's body over other items, one level deeper. */
export type Recurse = (items: Value, depth0: number) => Value;

export interface LoopSource {
  readonly items: Iterator<Value>;
  /** Source of the items, if its length is that of the loop. */
  readonly origin: Value | undefined;
  readonly depth0: number;
  readonly recurse: Recurse | undefined;
}

export class LoopContext extends Callable {
  readonly typeName = 'LoopContext';
  readonly #source: LoopSource;
  readonly #rendering: Rendering;
  #items: Iterator<Value>;
  #length: number | undefined;
  #index0 = -1;
  /** The next item, once it was asked for; `done` when there is none. */
  #after: IteratorResult<Value> | undefined;
  #current: Value | undefined;
  #before: Value | undefined;
  #lastChanged: Tuple | undefined;

  constructor(rendering: Rendering, source: LoopSource) {
    super();
    this.#rendering = rendering;
    this.#source = source;
    this.#items = source.items;
  }

  override get qualifiedTypeName(): string {
    return 'jinja2.runtime.LoopContext';
  }

  /** Goes to the next item; undefined when there is none. */
  next(): Value | undefined {
    const result = this.#after ?? this.#items.next();
    if (result.done === true) return undefined;
    this.#after = undefined;
    this.#index0++;
    this.#before = this.#current;
    this.#current = result.value;
    return result.value;
  }

  #peek(): Value | undefined {
    this.#after ??= this.#items.next();
    return this.#after.done === true ? undefined : this.#after.value;
  }

  override get size(): number {
    this.#length ??=
      (this.#source.origin === undefined ? undefined : sizeOf(this.#rendering, this.#source.origin)) ??
      this.#countItems();
    return this.#length;
  }

  #countItems(): number {
    const rest: Value[] = [];
    for (let next = this.#items.next(); next.done !== true; next = this.#items.next()) {
      this.#rendering.spend(1);
      rest.push(next.value);
    }
    this.#items = rest.values();
    const peeked = this.#after !== undefined && this.#after.done !== true ? 1 : 0;
    return rest.length + this.#index0 + 1 + peeked;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'index0':
        return this.#index0;
      case 'index':
        return this.#index0 + 1;
      case 'first':
        return this.#index0 === 0;
      case 'last':
        return this.#peek() === undefined;
      case 'length':
        return this.size;
      case 'revindex':
        return this.size - this.#index0;
      case 'revindex0':
        return this.size - this.#index0 - 1;
      case 'depth':
        return this.#source.depth0 + 1;
      case 'depth0':
        return this.#source.depth0;
      case 'previtem':
        return this.#index0 === 0 ? new Undefined(() => 'there is no previous item') : this.#before;
      case 'nextitem':
        return this.#next();
      case 'cycle':
        return new BoundFunction('cycle', (_, given) => this.#cycle(given));
      case 'changed':
        return new BoundFunction('changed', (rendering, given) => this.#changed(rendering, given));
      default:
        return undefined;
    }
  }

  #next(): Value {
    const item = this.#peek();
    return item === undefined ? new Undefined(() => 'there is no next item') : item;
  }

  #cycle({ positional }: CallArguments): Value {
    if (positional.length === 0) throw typeError('no items for cycling given');
    return positional[this.#index0 % positional.length]!;
  }

  #changed(rendering: Rendering, { positional }: CallArguments): boolean {
    const value = new Tuple(positional);
    if (this.#lastChanged !== undefined && equals(rendering, this.#lastChanged, value)) return false;
    this.#lastChanged = value;
    return true;
  }

  /** Walking it goes on with the loop, as in Jinja. */
  override iterate(): Iterator<Value> {
    return {
      next: (): IteratorResult<Value> => {
        const value = this.next();
        return value === undefined
          ? { done: true, value: undefined }
          : { done: false, value: new Tuple([value, this]) };
      },
    };
  }

  override call(_: Rendering, { positional, named }: CallArguments): Value {
    if (this.#source.recurse === undefined)
      throw new PythonError(
        'TypeError',
        "The loop must have the 'recursive' marker to be called recursively.",
      );
    const items = positional[0] ?? (positional.length > 0 ? null : named.get('iterable'));
    if (items === undefined) throw typeError("__call__() missing 1 required positional argument: 'iterable'");
    return this.#source.recurse(items, this.#source.depth0 + 1);
  }

  override repr(): string {
    return `<LoopContext ${this.#index0 + 1}/${this.size}>`;
  }
}
