/** Compiles targets of assignments. */
import { PythonError, typeError, valueError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import { itemsOf, tryIterate } from '../values/iterate.js';
import { Namespace } from '../values/objects.js';
import { isList, Tuple, typeName, type Value } from '../values/value.js';
import { descendants } from '../syntax/children.js';
import type { Expression } from '../syntax/nodes.js';
import type { Activation } from './activation.js';
import { type Frame, readVariable, type Write, writeName } from './frame.js';

export function compileTarget(target: Expression, frame: Frame): Write {
  switch (target.kind) {
    case 'name':
      return writeName(frame, target.name);
    case 'tuple':
      return unpack(target.items.map((item) => compileTarget(item, frame)));
    case 'namespaceTarget': {
      const read = readVariable(frame, frame.symbols.find(target.name)!);
      return (activation, value) => {
        const namespace = read(activation);
        if (namespace instanceof Namespace) namespace.assign(target.attribute, value);
      };
    }
    default:
      throw new PythonError('TemplateSyntaxError', `can't assign to '${target.kind}'`, target.line);
  }
}

/** Gives each item of a value to its target. @throws {PythonError} ValueError when there are more or fewer */
function unpack(targets: readonly Write[]): Write {
  return (activation, value) => {
    const items = unpacked(activation.rendering, value, targets.length);
    for (const [i, write] of targets.entries()) write(activation, items[i]!);
  };
}

function unpacked(rendering: Rendering, value: Value, count: number): readonly Value[] {
  const items = isList(value)
    ? value
    : value instanceof Tuple
      ? value.items
      : walked(rendering, value, count);
  if (items.length > count) throw valueError(`too many values to unpack (expected ${count})`);
  if (items.length < count)
    throw valueError(`not enough values to unpack (expected ${count}, got ${items.length})`);
  return items;
}

/** One item more than is wanted at most. */
function walked(rendering: Rendering, value: Value, count: number): Value[] {
  if (tryIterate(rendering, value) === undefined)
    throw typeError(`cannot unpack non-iterable ${typeName(value)} object`);
  const items: Value[] = [];
  for (const item of itemsOf(rendering, value)) {
    items.push(item);
    if (items.length > count) break;
  }
  return items;
}

/** Checks that attributes are assigned to namespaces only. */
export function compileNamespaceCheck(target: Expression, frame: Frame): (activation: Activation) => void {
  const names = new Set(Array.from(descendants([target], 'namespaceTarget'), ({ name }) => name));
  const reads = Array.from(names, (name) => readVariable(frame, frame.symbols.find(name)!));
  return (activation) => {
    for (const read of reads)
      if (!(read(activation) instanceof Namespace))
        throw new PythonError('TemplateRuntimeError', 'cannot assign attribute on non-namespace object');
  };
}

/** Lets blocks see what is assigned to at the top level. */
export function compilePublishing(
  target: Expression,
  frame: Frame,
): ((activation: Activation) => void) | undefined {
  if (!frame.isTopLevel) return undefined;
  const variables = Array.from(descendants([target], 'name'), ({ name }) => ({
    name,
    read: readVariable(frame, frame.symbols.find(name)!),
  }));
  return (activation) => {
    for (const { name, read } of variables) activation.context.set(name, read(activation)!);
  };
}
