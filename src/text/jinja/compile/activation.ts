/** Memory that compiled parts of a template run on. */
import type { Rendering } from '../values/callable.js';
import type { Value } from '../values/value.js';

/** A body that a loop control has left: 0 for none. */
export type Signal = 0 | 1 | 2;
export const NORMAL = 0;
export const BREAK = 1;
export const CONTINUE = 2;

export type Evaluate = (activation: Activation) => Value;
export type Execute = (activation: Activation) => Signal;

/** A block of the template by its name. */
export type RunBlock = (rendering: Rendering, context: Context) => void;

/** Variables by their names: those that the template set at its top level, then those that it was given. */
export class Context {
  readonly #set = new Map<string, Value>();
  readonly #given: (name: string) => Value | undefined;
  readonly blocks: ReadonlyMap<string, RunBlock>;

  constructor(given: (name: string) => Value | undefined, blocks: ReadonlyMap<string, RunBlock>) {
    this.#given = given;
    this.blocks = blocks;
  }

  get(name: string): Value | undefined {
    const value = this.#set.get(name);
    return value === undefined ? this.#given(name) : value;
  }

  set(name: string, value: Value): void {
    this.#set.set(name, value);
  }

  /** A context in which further variables hide those of this one. */
  derived(locals: ReadonlyMap<string, Value>): Context {
    return new Context((name) => locals.get(name) ?? (locals.has(name) ? null : this.get(name)), this.blocks);
  }
}

/**
 * One run of a function: of the template, of a macro, of a recursive loop. A slot holds a variable, or undefined while it
 * has no value.
 */
export class Activation {
  readonly slots: (Value | undefined)[];
  /** That of the function around this one. */
  readonly outer: Activation | undefined;
  readonly context: Context;
  readonly rendering: Rendering;

  constructor(slotCount: number, rendering: Rendering, context: Context, outer?: Activation) {
    this.slots = Array.from({ length: slotCount });
    this.rendering = rendering;
    this.context = context;
    this.outer = outer;
  }
}
