/** The parts of a node, in the order in which Jinja walks them. */
import type { Arguments, Expression, Node, MacroParameters, Statement } from './nodes.js';

const present = <Part>(...parts: readonly (Part | undefined)[]): Part[] =>
  parts.filter((part) => part !== undefined);

const argumentParts = ({ positional, named, restPositional, restNamed }: Arguments): Expression[] => [
  ...positional,
  ...named.map(({ value }) => value),
  ...present(restPositional, restNamed),
];

const parameterParts = ({ names, defaults }: MacroParameters): Expression[] => [...names, ...defaults];

function expressionParts(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'name':
    case 'namespaceTarget':
    case 'constant':
      return [];
    case 'list':
    case 'tuple':
      return node.items;
    case 'dict':
      return node.pairs.flatMap(({ key, value }) => [key, value]);
    case 'conditional':
      return present(node.test, node.value, node.otherwise);
    case 'binary':
    case 'logical':
      return [node.left, node.right];
    case 'unary':
      return [node.operand];
    case 'concatenation':
      return node.parts;
    case 'comparison':
      return [node.first, ...node.rest.map(({ operand }) => operand)];
    case 'attribute':
      return [node.object];
    case 'item':
      return [node.object, node.key];
    case 'slice':
      return present(node.start, node.stop, node.step);
    case 'call':
      return [node.callee, ...argumentParts(node.given)];
    case 'filter':
    case 'test':
      return [...present(node.value), ...argumentParts(node.given)];
  }
}

function statementParts(node: Statement): readonly Node[] {
  switch (node.kind) {
    case 'output':
      return node.parts;
    case 'for':
      return [node.target, node.items, ...node.body, ...node.otherwise, ...present(node.test)];
    case 'if':
      return [node.test, ...node.body, ...node.elifs, ...node.otherwise];
    case 'macro':
      return [...parameterParts(node.parameters), ...node.body];
    case 'callBlock':
      return [...present(node.call), ...parameterParts(node.parameters), ...node.body];
    case 'filterBlock':
      return [...node.body, node.filter];
    case 'with':
      return [...node.targets, ...node.values, ...node.body];
    case 'assign':
      return [node.target, node.value];
    case 'assignBlock':
      return [node.target, ...present(node.filter), ...node.body];
    case 'autoescape':
      return [node.value, ...node.body];
    case 'block':
      return node.body;
    case 'break':
    case 'continue':
      return [];
  }
}

export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'data':
      return [];
    case 'output':
    case 'for':
    case 'if':
    case 'macro':
    case 'callBlock':
    case 'filterBlock':
    case 'with':
    case 'assign':
    case 'assignBlock':
    case 'autoescape':
    case 'block':
    case 'break':
    case 'continue':
      return statementParts(node);
    default:
      return expressionParts(node);
  }
}

/** The node's descendants of a kind, itself included. */
export function* descendants<Kind extends Node['kind']>(
  nodes: Iterable<Node>,
  kind: Kind,
): Generator<Extract<Node, { kind: Kind }>> {
  for (const node of nodes) {
    if (node.kind === kind) yield node as Extract<Node, { kind: Kind }>;
    yield* descendants(childrenOf(node), kind);
  }
}
