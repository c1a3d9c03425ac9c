/**
 * Finds out where each name of a template lives. Jinja compiles templates to Python functions, and its rules of scope are
 * what comes of that: which variables a loop body starts with, what a macro sees, what an `if` leaves behind. The same
 * analysis gives the same rules here.
 */

/** A Python function that Jinja would make. Each of its variables has a slot. */
export class FunctionScope {
  readonly outer: FunctionScope | undefined;
  readonly #slots = new Map<string, number>();

  constructor(outer?: FunctionScope) {
    this.outer = outer;
  }

  get slotCount(): number {
    return this.#slots.size;
  }

  /** The slot of a variable: names that Python would give the same local share one. */
  slot(level: number, name: string): number {
    const identifier = `${level}:${name}`;
    const known = this.#slots.get(identifier);
    if (known !== undefined) return known;
    this.#slots.set(identifier, this.#slots.size);
    return this.#slots.size - 1;
  }
}

/** A variable of a function. */
export interface Variable {
  readonly scope: FunctionScope;
  readonly slot: number;
}

/** Source of a variable's first value when a scope is entered. */
export type InitialValue =
  | { readonly type: 'parameter' | 'undefined' }
  | { readonly type: 'context'; readonly name: string }
  | { readonly type: 'alias'; readonly of: Variable };

const PARAMETER: InitialValue = { type: 'parameter' };
const UNDEFINED: InitialValue = { type: 'undefined' };

interface Reference {
  readonly variable: Variable;
  readonly load: InitialValue;
}

/** The names of one scope. */
export class Symbols {
  readonly scope: FunctionScope;
  readonly #level: number;
  readonly #parent: Symbols | undefined;
  readonly #references: Map<string, Reference>;
  readonly #stores: Set<string>;

  constructor(scope: FunctionScope, parent?: Symbols) {
    this.scope = scope;
    this.#parent = parent;
    this.#level = parent === undefined ? 0 : parent.#level + 1;
    this.#references = new Map();
    this.#stores = new Set();
  }

  find(name: string): Variable | undefined {
    return this.#reference(name)?.variable;
  }

  /** Whether a name is a parameter of a macro or of a loop, here or around here. */
  isParameter(name: string): boolean {
    return this.#reference(name)?.load.type === 'parameter';
  }

  #reference(name: string): Reference | undefined {
    const own = this.#references.get(name);
    return own === undefined && this.#parent !== undefined ? this.#parent.#reference(name) : own;
  }

  /** The first values of this scope's own variables. */
  *loads(): Generator<{ readonly variable: Variable; readonly load: InitialValue }> {
    yield* this.#references.values();
  }

  /** Names that are assigned to here or around here, with their variables. */
  stored(): Map<string, Variable> {
    const stored = this.#parent?.stored() ?? new Map<string, Variable>();
    for (const name of this.#stores) stored.set(name, this.find(name)!);
    return stored;
  }

  #define(name: string, load: InitialValue): void {
    const slot = this.scope.slot(this.#level, name);
    this.#references.set(name, { variable: { scope: this.scope, slot }, load });
  }

  /** Notes that a name is assigned to. */
  store(name: string): void {
    this.#stores.add(name);
    if (this.#references.has(name)) return;
    const outer = this.#parent?.find(name);
    this.#define(name, outer === undefined ? UNDEFINED : { type: 'alias', of: outer });
  }

  declareParameter(name: string): void {
    this.#stores.add(name);
    this.#define(name, PARAMETER);
  }

  /** Notes that a name is read. */
  load(name: string): void {
    if (this.find(name) === undefined) this.#define(name, { type: 'context', name });
  }

  /** A copy for one branch of an `if`. */
  branch(): Symbols {
    const copy = new Symbols(this.scope, this.#parent);
    for (const [name, reference] of this.#references) copy.#references.set(name, reference);
    for (const name of this.#stores) copy.#stores.add(name);
    return copy;
  }

  /** Takes over what the branches found. A name that a branch assigns to has a value before, should another branch run. */
  join(branches: readonly Symbols[]): void {
    const added = new Set(branches.flatMap((branch) => [...branch.#stores]));
    for (const name of this.#stores) added.delete(name);
    for (const branch of branches) {
      for (const [name, reference] of branch.#references) this.#references.set(name, reference);
      for (const name of branch.#stores) this.#stores.add(name);
    }
    for (const name of added) {
      const outer = this.#parent?.find(name);
      this.#define(name, outer === undefined ? { type: 'context', name } : { type: 'alias', of: outer });
    }
  }
}
