/** Properties of a grammar that decide whether an automaton can follow it. */
import type { Grammar, GrammarNode } from '../../core/constraint.js';
import { constraintError } from './limits.js';

type Verdict = (
  node: GrammarNode,
  of: (part: number) => boolean,
  ofRule: (rule: number) => boolean,
) => boolean;

/** [rules] whether the rule matches the empty text. */
export function emptyRules(grammar: Grammar): readonly boolean[] {
  return fixpoint(grammar, matchesEmpty);
}

/** [rules] whether any text matches the rule. */
export function endingRules(grammar: Grammar): readonly boolean[] {
  return fixpoint(grammar, matchesSomething);
}

/**
 * Refuses rules that call themselves before they match anything, grammars that nothing matches, and recursion inside a node
 * `both`.
 * @throws {AloftError} REQUEST_INVALID naming the rule
 */
export function checkGrammar(grammar: Grammar): void {
  const isEmpty = emptyRules(grammar);
  const cycle = findCycle(grammar, (node) => leftRules(grammar, node, isEmpty));
  if (cycle !== undefined)
    throw constraintError(
      `Rule '${cycle}' is left-recursive: it calls itself before it matches anything; write the repetition behind its first part.`,
    );
  checkBoth(grammar);
  if (nodeVerdict(grammar, grammar.root, matchesSomething, endingRules(grammar))) return;
  const endless = endlessRule(grammar);
  throw constraintError(
    endless === undefined
      ? 'The constraint cannot be satisfied: no text matches it.'
      : `The constraint cannot be satisfied: '${endless}' calls itself without an end.`,
  );
}

/** Name of a rule that an answer can come to and that nothing matches, because it always calls itself. */
export function endlessRule(grammar: Grammar): string | undefined {
  const ends = endingRules(grammar);
  const reached = rulesUnder(grammar, grammar.root);
  for (const rule of reached)
    for (const next of rulesUnder(grammar, grammar.rules[rule]!.node)) reached.add(next);
  const dead = [...reached].filter((rule) => !ends[rule]);
  const everyRule = grammar.rules.map(() => true);
  const isEndless = dead.every((rule) =>
    nodeVerdict(grammar, grammar.rules[rule]!.node, matchesSomething, everyRule),
  );
  return dead.length > 0 && isEndless ? grammar.rules[dead[0]!]!.name : undefined;
}

const matchesEmpty: Verdict = (node, of, ofRule) => {
  switch (node.type) {
    case 'empty':
      return true;
    case 'text':
    case 'characters':
      return false;
    case 'sequence':
    case 'both':
      return node.parts.every(of);
    case 'choice':
      return node.parts.some(of);
    case 'repeat':
      return node.min === 0 || of(node.part);
    case 'rule':
      return ofRule(node.rule);
    case 'not':
      return !of(node.part);
  }
};

const matchesSomething: Verdict = (node, of, ofRule) => {
  switch (node.type) {
    case 'empty':
    case 'text':
    case 'characters':
    case 'not':
      return true;
    case 'sequence':
    case 'both':
      return node.parts.every(of);
    case 'choice':
      return node.parts.some(of);
    case 'repeat':
      return node.min === 0 || of(node.part);
    case 'rule':
      return ofRule(node.rule);
  }
};

/** The least verdicts of rules that agree with one another. */
function fixpoint(grammar: Grammar, verdict: Verdict): readonly boolean[] {
  const found = grammar.rules.map(() => false);
  const users = callers(grammar);
  const queue = [...grammar.rules.keys()];
  for (let rule = queue.pop(); rule !== undefined; rule = queue.pop()) {
    if (found[rule] || !nodeVerdict(grammar, grammar.rules[rule]!.node, verdict, found)) continue;
    found[rule] = true;
    queue.push(...users[rule]!);
  }
  return found;
}

function nodeVerdict(grammar: Grammar, id: number, verdict: Verdict, found: readonly boolean[]): boolean {
  const known = new Map<number, boolean>();
  const of = (part: number): boolean => {
    let answer = known.get(part);
    if (answer === undefined) known.set(part, (answer = verdict(grammar.nodes[part]!, of, ofRule)));
    return answer;
  };
  const ofRule = (rule: number): boolean => found[rule]!;
  return of(id);
}

/** [rules] the rules that call it. */
function callers(grammar: Grammar): readonly number[][] {
  const found: number[][] = grammar.rules.map(() => []);
  for (const [caller, { node }] of grammar.rules.entries())
    for (const rule of rulesUnder(grammar, node)) found[rule]!.push(caller);
  return found;
}

function partsOf(node: GrammarNode): readonly number[] {
  if (node.type === 'sequence' || node.type === 'choice' || node.type === 'both') return node.parts;
  return node.type === 'repeat' || node.type === 'not' ? [node.part] : [];
}

/** Rules that a node calls, however deep. */
function rulesUnder(grammar: Grammar, id: number): Set<number> {
  const rules = new Set<number>();
  const seen = new Set([id]);
  for (const at of seen) {
    const node = grammar.nodes[at]!;
    if (node.type === 'rule') rules.add(node.rule);
    for (const part of partsOf(node)) seen.add(part);
  }
  return rules;
}

/** Rules that a node can call before it matches anything. */
function leftRules(grammar: Grammar, id: number, isEmptyRule: readonly boolean[]): Set<number> {
  const rules = new Set<number>();
  const seen = new Set([id]);
  for (const at of seen) {
    const node = grammar.nodes[at]!;
    if (node.type === 'rule') rules.add(node.rule);
    if (node.type !== 'sequence') for (const part of partsOf(node)) seen.add(part);
    else
      for (const part of node.parts) {
        seen.add(part);
        if (!nodeVerdict(grammar, part, matchesEmpty, isEmptyRule)) break;
      }
  }
  return rules;
}

/** Name of a rule from which `next` leads back to it. */
function findCycle(grammar: Grammar, next: (node: number) => Set<number>): string | undefined {
  const state = grammar.rules.map((): 'new' | 'open' | 'done' => 'new');
  for (const start of grammar.rules.keys()) {
    const stack: { readonly rule: number; readonly left: number[] }[] = [];
    const open = (rule: number): void => {
      state[rule] = 'open';
      stack.push({ rule, left: [...next(grammar.rules[rule]!.node)] });
    };
    if (state[start] === 'new') open(start);
    while (stack.length > 0) {
      const { rule, left } = stack.at(-1)!;
      const callee = left.pop();
      if (callee === undefined) {
        state[rule] = 'done';
        stack.pop();
      } else if (state[callee] === 'open') return grammar.rules[callee]!.name;
      else if (state[callee] === 'new') open(callee);
    }
  }
  return undefined;
}

/** Inside `both` a rule may only call at its end: then its states stay finitely many. */
function checkBoth(grammar: Grammar): void {
  const seen = new Set<number>();
  for (let id = 0; id < grammar.nodes.length; id++)
    if (grammar.nodes[id]!.type === 'both') for (const rule of rulesUnder(grammar, id)) seen.add(rule);
  if (seen.size === 0) return;
  for (const rule of seen) for (const next of rulesUnder(grammar, grammar.rules[rule]!.node)) seen.add(next);
  const inside = (id: number): Set<number> => innerRules(grammar, id);
  const reduced = {
    ...grammar,
    rules: grammar.rules.map((rule, i) => (seen.has(i) ? rule : { ...rule, node: 0 })),
  };
  const cycle = findCycle(reduced, inside);
  if (cycle !== undefined)
    throw constraintError(
      `Rule '${cycle}' is recursive where texts must match two forms at once; this is not supported.`,
    );
}

/** Rules that a node calls elsewhere than at its end. */
function innerRules(grammar: Grammar, id: number): Set<number> {
  const rules = new Set<number>();
  const visit = (at: number): void => {
    const node = grammar.nodes[at]!;
    if (node.type === 'choice') for (const part of node.parts) visit(part);
    else if (node.type === 'sequence') {
      for (const part of node.parts.slice(0, -1))
        for (const rule of rulesUnder(grammar, part)) rules.add(rule);
      visit(node.parts.at(-1)!);
    } else if (node.type !== 'rule') for (const rule of rulesUnder(grammar, at)) rules.add(rule);
  };
  visit(id);
  return rules;
}
