/** Constraints on an answer: what clients ask for, and the compiled form that travels to the batcher with a request. */

/** Form that the text of an answer must have. */
export type Constraint =
  /** A JSON value that is valid under a schema (draft 2020-12). */
  | { readonly type: 'json_schema'; readonly schema: unknown }
  /** Any JSON object. */
  | { readonly type: 'json_object' }
  /** A text that a regular expression (ECMA-262) matches from end to end. */
  | { readonly type: 'regex'; readonly pattern: string }
  /** A text of a context-free grammar, in GBNF or in Lark's notation. */
  | { readonly type: 'grammar'; readonly grammar: string }
  /** One of several texts. */
  | { readonly type: 'choice'; readonly choices: readonly string[] }
  /** Free text in which each trigger begins one of the structures. */
  | {
      readonly type: 'structural_tag';
      readonly structures: readonly TagStructure[];
      readonly triggers: readonly string[];
    };

/** Form of a text by itself. */
export type TextForm = Extract<Constraint, { readonly type: 'regex' | 'grammar' }>;

/** The input of a custom tool as a model's family writes it. */
export interface ToolInput {
  readonly type: 'tool_input';
  /** Name of the tool, for messages. */
  readonly tool: string;
  /** Undefined: any text. */
  readonly form: TextForm | undefined;
  /** JSON of an object whose only member is the input, a JSON string, or the text itself without a mark that ends it. */
  readonly writtenAs: 'object' | 'string' | { readonly without: string };
}

/** All that a part of an answer can be held to. */
export type HeldForm = Constraint | ToolInput;

/** Text between two tags: JSON that is valid under a schema. */
export interface TagStructure {
  readonly begin: string;
  readonly schema: unknown;
  readonly end: string;
}

/** A node of a grammar. Parts are numbers of other nodes. */
export type GrammarNode =
  /** The empty text. */
  | { readonly type: 'empty' }
  | { readonly type: 'text'; readonly text: string }
  /** One character of a set: first and last code point of each range, ascending and apart. */
  | { readonly type: 'characters'; readonly ranges: readonly number[] }
  | { readonly type: 'sequence'; readonly parts: readonly number[] }
  /** Any of the parts. One without parts matches nothing. */
  | { readonly type: 'choice'; readonly parts: readonly number[] }
  /** `min` to `max` times the part; `max` may be Infinity. */
  | { readonly type: 'repeat'; readonly part: number; readonly min: number; readonly max: number }
  | { readonly type: 'rule'; readonly rule: number }
  /** Texts that all parts match. Recursion through a part is allowed at the end of a rule only. */
  | { readonly type: 'both'; readonly parts: readonly number[] }
  /** Texts that the part does not match. Stands only among the parts of a `both`. */
  | { readonly type: 'not'; readonly part: number };

/** The intermediate form of every constraint: a grammar whose words are UTF-8 texts. */
export interface Grammar {
  readonly nodes: readonly GrammarNode[];
  readonly rules: readonly { readonly name: string; readonly node: number }[];
  /** Node that an answer must match. */
  readonly root: number;
}

/** A grammar as threads pass it on. */
export interface PackedGrammar {
  readonly nodeCount: number;
  /** Root, rules and nodes, in memory that threads share. */
  readonly codes: Int32Array;
  /** Texts and names of rules. */
  readonly texts: readonly string[];
}

/** Tokens by their bytes, in the order of a walk that visits a node before those under it. */
export interface TokenTrie {
  /** [nodes] byte that leads to the node; the root's means nothing. */
  readonly bytes: Uint8Array;
  /** [nodes] number of bytes from the root. */
  readonly depths: Uint16Array;
  /** [nodes] the first node that is not under it. */
  readonly ends: Int32Array;
  /** [nodes + 1] first token of each node in `tokenIds`. */
  readonly tokenStarts: Int32Array;
  readonly tokenIds: Int32Array;
  readonly maxDepth: number;
}

/** Tokens that are made of whole characters of one set, in which many texts are free, and all other tokens. */
export interface TokenClass {
  /** First and last code point of each range, ascending and apart. */
  readonly characters: readonly number[];
  /** [characters][vocabulary / 32] bits of the tokens of at most so many characters. */
  readonly upTo: readonly Int32Array[];
  /** [characters] number of tokens in each of `upTo`. */
  readonly counts: readonly number[];
  /** Members with more characters than `than`, which grows, from 0 to the last of `upTo`. */
  readonly longer: readonly { readonly than: number; readonly trie: TokenTrie }[];
  readonly others: TokenTrie;
  /** The same by their members of the set at the start; undefined for small sets, with which few of them begin. */
  readonly tails: TokenTails | undefined;
}

export interface TokenTails {
  /** [characters] texts behind so many members. */
  readonly behind: readonly TokenTrie[];
  /** Whole texts of the tokens with more members at the start than `behind` tells apart. */
  readonly longer: TokenTrie;
  /** Texts behind any number of members. */
  readonly any: TokenTrie;
}

/** Tokens of a model as constraints need them. All arrays may lie in memory that threads share. */
export interface TokenVocabulary {
  /** Distinguishes vocabularies. */
  readonly key: string;
  readonly vocabulary: number;
  readonly trie: TokenTrie;
  /** Where a text can go on with any characters of a set, the tokens of its class need no walk. */
  readonly classes: readonly TokenClass[];
  /** [vocabulary + 1] start of each token in `tokenBytes`; tokens that no text has are empty. */
  readonly tokenOffsets: Uint32Array;
  readonly tokenBytes: Uint8Array;
  /** Tokens at the very start of a text, where they have other bytes there. */
  readonly first:
    | { readonly trie: TokenTrie; readonly offsets: Uint32Array; readonly bytes: Uint8Array }
    | undefined;
}

/** A compiled constraint as a token request carries it. */
export interface TokenConstraint {
  /** Equal keys mean equal grammars. */
  readonly key: string;
  readonly grammar: PackedGrammar;
  readonly tokens: TokenVocabulary;
  /** Spaces at the very start of the output that do not belong to its text. */
  readonly droppedSpaces: number;
  /** True if the first token has its own bytes (`TokenVocabulary.first`). */
  readonly startsText: boolean;
}
