/** Bounds of how deep parts of a template lie within each other, so that no template can exhaust the stack. */
import { childrenOf } from './children.js';
import type { Expression } from './nodes.js';
import { syntaxError } from './tokens.js';

/** Parentheses, operators before an operand, statements. Python's parser gives up at about 75. */
const MAX_NESTING = 100;
/** Parts of an expression, such as terms of one long sum. Python's compiler gives up at 200. */
const MAX_EXPRESSION_DEPTH = 200;

export class Nesting {
  readonly #depths = new WeakMap<Expression, number>();
  #level = 0;

  /** Runs a part of the parser one level deeper. @throws {PythonError} TemplateSyntaxError beyond the bound */
  within<Result>(line: number, parse: () => Result): Result {
    if (++this.#level > MAX_NESTING)
      throw syntaxError(`parts are nested deeper than ${MAX_NESTING} levels, which is the limit`, line);
    const result = parse();
    this.#level--;
    return result;
  }

  /** Returns the node. @throws {PythonError} TemplateSyntaxError when it is too deep */
  checked<Node extends Expression>(node: Node): Node {
    let depth = 0;
    for (const child of childrenOf(node)) depth = Math.max(depth, this.#depths.get(child as Expression) ?? 0);
    if (++depth > MAX_EXPRESSION_DEPTH)
      throw syntaxError(
        `an expression has more than ${MAX_EXPRESSION_DEPTH} levels, which is the limit`,
        node.line,
      );
    this.#depths.set(node, depth);
    return node;
  }
}
