/** Parts of a parsed template. */
import type { Value } from '../values/value.js';

interface Located {
  /** Line of the template, from 1. */
  readonly line: number;
}

// Expressions

export interface Name extends Located {
  readonly kind: 'name';
  readonly name: string;
  /** Whether it is read, assigned to, or a parameter. */
  readonly use: 'load' | 'store' | 'parameter';
}
/** `namespace.attribute` as the target of an assignment. */
interface NamespaceTarget extends Located {
  readonly kind: 'namespaceTarget';
  readonly name: string;
  readonly attribute: string;
}
interface Constant extends Located {
  readonly kind: 'constant';
  readonly value: Value;
}
interface ListOf extends Located {
  readonly kind: 'list';
  readonly items: readonly Expression[];
}
interface TupleOf extends Located {
  readonly kind: 'tuple';
  readonly items: readonly Expression[];
}
interface DictOf extends Located {
  readonly kind: 'dict';
  readonly pairs: readonly { readonly key: Expression; readonly value: Expression }[];
}
export interface Conditional extends Located {
  readonly kind: 'conditional';
  readonly test: Expression;
  readonly value: Expression;
  readonly otherwise: Expression | undefined;
}
export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export interface Binary extends Located {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}
export interface Logical extends Located {
  readonly kind: 'logical';
  readonly operator: 'and' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}
export interface UnaryOperation extends Located {
  readonly kind: 'unary';
  readonly operator: '+' | '-' | 'not';
  readonly operand: Expression;
}
export interface Concatenation extends Located {
  readonly kind: 'concatenation';
  readonly parts: readonly Expression[];
}
export type Comparator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';
export interface Comparison extends Located {
  readonly kind: 'comparison';
  readonly first: Expression;
  readonly rest: readonly { readonly operator: Comparator; readonly operand: Expression }[];
}
interface Attribute extends Located {
  readonly kind: 'attribute';
  readonly object: Expression;
  readonly name: string;
}
export interface Item extends Located {
  readonly kind: 'item';
  readonly object: Expression;
  readonly key: Expression;
}
export interface Slice extends Located {
  readonly kind: 'slice';
  readonly start: Expression | undefined;
  readonly stop: Expression | undefined;
  readonly step: Expression | undefined;
}

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly { readonly name: string; readonly value: Expression }[];
  readonly restPositional: Expression | undefined;
  readonly restNamed: Expression | undefined;
}
export interface Call extends Located {
  readonly kind: 'call';
  readonly callee: Expression;
  readonly given: Arguments;
}
export interface Filter extends Located {
  readonly kind: 'filter';
  /** Undefined for the text of the block that the filter is of. */
  readonly value: Expression | undefined;
  readonly name: string;
  readonly given: Arguments;
}
export interface Test extends Located {
  readonly kind: 'test';
  readonly value: Expression;
  readonly name: string;
  readonly given: Arguments;
}

export type Expression =
  | Name
  | NamespaceTarget
  | Constant
  | ListOf
  | TupleOf
  | DictOf
  | Conditional
  | Binary
  | Logical
  | UnaryOperation
  | Concatenation
  | Comparison
  | Attribute
  | Item
  | Slice
  | Call
  | Filter
  | Test;

// Statements

export type Body = readonly Statement[];

/** Text between tags. */
export interface Data extends Located {
  readonly kind: 'data';
  readonly text: string;
}
export interface Output extends Located {
  readonly kind: 'output';
  readonly parts: readonly (Expression | Data)[];
}
export interface For extends Located {
  readonly kind: 'for';
  readonly target: Expression;
  readonly items: Expression;
  readonly body: Body;
  readonly otherwise: Body;
  readonly test: Expression | undefined;
  readonly isRecursive: boolean;
}
export interface If extends Located {
  readonly kind: 'if';
  readonly test: Expression;
  readonly body: Body;
  readonly elifs: readonly If[];
  readonly otherwise: Body;
}
export interface MacroParameters {
  readonly names: readonly Name[];
  /** Default values of the last parameters. */
  readonly defaults: readonly Expression[];
}
export interface MacroDefinition extends Located {
  readonly kind: 'macro';
  readonly name: string;
  readonly parameters: MacroParameters;
  readonly body: Body;
}
export interface CallBlock extends Located {
  readonly kind: 'callBlock';
  /** Undefined for `{% generation %}`, whose body is called by nothing. */
  readonly call: Call | undefined;
  readonly parameters: MacroParameters;
  readonly body: Body;
}
export interface FilterBlock extends Located {
  readonly kind: 'filterBlock';
  readonly filter: Filter;
  readonly body: Body;
}
export interface With extends Located {
  readonly kind: 'with';
  readonly targets: readonly Expression[];
  readonly values: readonly Expression[];
  readonly body: Body;
}
export interface Assign extends Located {
  readonly kind: 'assign';
  readonly target: Expression;
  readonly value: Expression;
}
export interface AssignBlock extends Located {
  readonly kind: 'assignBlock';
  readonly target: Expression;
  readonly filter: Filter | undefined;
  readonly body: Body;
}
export interface AutoEscape extends Located {
  readonly kind: 'autoescape';
  readonly value: Expression;
  readonly body: Body;
}
export interface Block extends Located {
  readonly kind: 'block';
  readonly name: string;
  readonly isScoped: boolean;
  readonly isRequired: boolean;
  readonly body: Body;
}
export interface LoopControl extends Located {
  readonly kind: 'break' | 'continue';
}

export type Statement =
  | Output
  | For
  | If
  | MacroDefinition
  | CallBlock
  | FilterBlock
  | With
  | Assign
  | AssignBlock
  | AutoEscape
  | Block
  | LoopControl;

export type Node = Expression | Statement | Data;
