/**
 * `==` and `!=` of chat templates with the meaning of Python. The template library compares as JavaScript's loose `==` does,
 * where '' equals false and '1' equals 1; by that LLaMA-2's own template would lose an empty system message. (An undefined
 * name still equals none, which Python denies: the library gives both as the same value.)
 */
import type { Template } from '@huggingface/jinja';

/** The name that the rewritten comparisons call; not a name that a template can spell. */
const EQUALS = 'equals of python';

interface Node {
  type: string;
  [part: string]: unknown;
}

/** Replaces every comparison in a parsed template by a call of {@link equalityFunction}. */
export function rewriteEquality(template: Template): void {
  rewrite(template.parsed);
}

/** What a rewritten template needs among its variables. */
export function equalityFunction(): Readonly<Record<string, unknown>> {
  return { [EQUALS]: equals };
}

function rewrite(value: unknown): void {
  if (value instanceof Map) for (const [key, entry] of value) [key, entry].forEach(rewrite);
  else if (Array.isArray(value)) value.forEach(rewrite);
  else if (isNode(value)) {
    Object.values(value).forEach(rewrite);
    if (value.type === 'BinaryExpression') rewriteComparison(value);
  }
}

/** Turns the node itself into `equals(left, right)`, or into `not equals(left, right)`. */
function rewriteComparison(node: Node): void {
  const operator = node['operator'] as { readonly value: string };
  if (operator.value !== '==' && operator.value !== '!=') return;
  const call = {
    type: 'CallExpression',
    callee: { type: 'Identifier', value: EQUALS },
    args: [node['left'], node['right']],
  };
  if (operator.value === '==') Object.assign(node, call);
  else
    Object.assign(node, { type: 'UnaryExpression', operator: { ...operator, value: 'not' }, argument: call });
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** Python's equality of template values: numbers and booleans mix, lists and dictionaries compare by content. */
function equals(a: unknown, b: unknown): boolean {
  if (isNumeric(a) && isNumeric(b)) return Number(a) === Number(b);
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((entry, i) => equals(unwrap(entry), unwrap(b[i])));
  if (a instanceof Map && b instanceof Map)
    return (
      a.size === b.size &&
      [...a].every(([key, entry]) => b.has(key) && equals(unwrap(entry), unwrap(b.get(key))))
    );
  return a === b;
}

const isNumeric = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean';

/** Entries of lists and dictionaries are the library's own value objects. */
const unwrap = (entry: unknown): unknown => (entry as { readonly value: unknown }).value;
