/** Compiles `block`. Without inheritance a block renders where it stands, and again by `self.name()`. */
import { PythonError } from '../python-error.js';
import { Callable, type Rendering } from '../values/callable.js';
import { Markup, PythonObject, Undefined, type Value } from '../values/value.js';
import { descendants } from '../syntax/children.js';
import type { Block, Body } from '../syntax/nodes.js';
import { Activation, type Context, type Execute, NORMAL, type RunBlock } from './activation.js';
import { enterScope, type Frame, readVariable, writeName } from './frame.js';
import { noteNames, undeclaredNames } from './symbol-visitor.js';
import { FunctionScope, Symbols } from './symbols.js';

/** A function of the whole template: its root, or the block of that name. */
export function compileRoot(body: Body, frame: Frame, blockName?: string): RunBlock {
  const special = blockName === undefined ? ['self'] : ['self', 'super'];
  const used = special.filter((name) => undeclaredNames(body, special).has(name));
  for (const name of used) frame.symbols.declareParameter(name);
  noteNames(frame.symbols, body);
  const setters = used.map((name) => ({ name, write: writeName(frame, name) }));
  const enter = enterScope(frame);
  const run = frame.state.body(body, frame);
  return (rendering, context) => {
    const activation = new Activation(frame.symbols.scope.slotCount, rendering, context);
    for (const { name, write } of setters)
      write(activation, name === 'self' ? new TemplateReference(context) : noParentBlock(blockName ?? ''));
    enter(activation);
    run(activation);
  };
}

const noParentBlock = (name: string): Undefined =>
  new Undefined(() => `there is no parent block called '${name}'.`);

/** All blocks of a template by their names. @throws {PythonError} when two have the same */
export function compileBlocks(body: Body, frame: Frame): Map<string, RunBlock> {
  const blocks = new Map<string, RunBlock>();
  for (const { name, body: content, line } of descendants(body, 'block')) {
    if (blocks.has(name))
      throw new PythonError('TemplateAssertionError', `block '${name}' defined twice`, line);
    const blockFrame: Frame = { ...frame, symbols: new Symbols(new FunctionScope()), isTopLevel: false };
    blocks.set(name, compileRoot(content, blockFrame, name));
  }
  return blocks;
}

export function compileBlock({ name, isScoped, isRequired, line }: Block, frame: Frame): Execute {
  const locals = isScoped
    ? Array.from(
        frame.symbols.stored(),
        ([local, variable]) => [local, readVariable(frame, variable)] as const,
      )
    : [];
  return (activation) => {
    const { rendering, context } = activation;
    if (isRequired) throw new PythonError('TemplateRuntimeError', `Required block '${name}' not found`, line);
    const values = new Map<string, Value>();
    for (const [local, read] of locals) {
      const value = read(activation);
      if (value !== undefined) values.set(local, value);
    }
    rendering.enter();
    context.blocks.get(name)!(rendering, isScoped ? context.derived(values) : context);
    rendering.leave();
    return NORMAL;
  };
}

/** The variable `self`: blocks by their names. */
class TemplateReference extends PythonObject {
  readonly typeName = 'TemplateReference';
  readonly #context: Context;

  constructor(context: Context) {
    super();
    this.#context = context;
  }

  override get qualifiedTypeName(): string {
    return 'jinja2.runtime.TemplateReference';
  }

  override attribute(name: string): Value | undefined {
    const run = this.#context.blocks.get(name);
    return run && new BlockReference(run, this.#context);
  }

  override repr(): string {
    return '<TemplateReference None>';
  }
}

class BlockReference extends Callable {
  readonly typeName = 'BlockReference';
  readonly #run: RunBlock;
  readonly #context: Context;

  constructor(run: RunBlock, context: Context) {
    super();
    this.#run = run;
    this.#context = context;
  }

  override call(rendering: Rendering): Value {
    rendering.enter();
    const outer = rendering.beginCapture();
    this.#run(rendering, this.#context);
    const text = rendering.endCapture(outer);
    rendering.leave();
    return rendering.autoescape ? new Markup(text) : text;
  }
}
