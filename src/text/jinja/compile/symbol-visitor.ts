/** Walks the nodes of a scope and notes their names. Bodies of inner scopes are not entered. */
import { childrenOf } from '../syntax/children.js';
import type { If, Name, Node } from '../syntax/nodes.js';
import type { Symbols } from './symbols.js';

/** Notes the names that nodes use in their scope. */
export function noteNames(symbols: Symbols, nodes: Iterable<Node>): void {
  for (const node of nodes) note(symbols, node);
}

/** Notes targets of a loop, which are parameters of its body. */
export function noteLoopTargets(symbols: Symbols, target: Node): void {
  if (target.kind === 'name') symbols.declareParameter(target.name);
  else for (const child of childrenOf(target)) noteLoopTargets(symbols, child);
}

function note(symbols: Symbols, node: Node): void {
  switch (node.kind) {
    case 'name':
      noteName(symbols, node);
      return;
    case 'namespaceTarget':
      symbols.load(node.name);
      return;
    case 'if':
      noteIf(symbols, node);
      return;
    case 'macro':
      symbols.store(node.name);
      return;
    case 'assign':
      noteNames(symbols, [node.value, node.target]);
      return;
    default:
      noteNames(symbols, outerParts(node));
  }
}

/** Parts of a node that belong to the scope around it. */
function outerParts(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'for':
      return [node.items];
    case 'callBlock':
      return node.call === undefined ? [] : [node.call];
    case 'filterBlock':
      return [node.filter];
    case 'with':
      return node.values;
    case 'assignBlock':
      return [node.target];
    case 'autoescape':
    case 'block':
      return [];
    default:
      return childrenOf(node);
  }
}

function noteName(symbols: Symbols, { name, use }: Name): void {
  if (use === 'parameter') symbols.declareParameter(name);
  else if (use === 'store') symbols.store(name);
  else symbols.load(name);
}

function noteIf(symbols: Symbols, node: If): void {
  note(symbols, node.test);
  const branches = [node.body, node.elifs, node.otherwise].map((nodes) => {
    const branch = symbols.branch();
    noteNames(branch, nodes);
    return branch;
  });
  symbols.join(branches);
}

/** Those of the names that the nodes read before they assign to them. */
export function undeclaredNames(nodes: Iterable<Node>, names: readonly string[]): ReadonlySet<string> {
  const candidates = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node): void => {
    if (node.kind === 'block') return;
    if (node.kind === 'name') {
      if (node.use === 'load' && candidates.has(node.name)) found.add(node.name);
      else candidates.delete(node.name);
    }
    for (const child of childrenOf(node)) visit(child);
  };
  for (const node of nodes) visit(node);
  return found;
}
