/** Messages between a compiler of constraints and its thread. */
import type { HeldForm, PackedGrammar, TokenVocabulary } from '../../../core/constraint.js';
import type { ErrorReport } from '../../../core/errors.js';
import type { VocabularyTable } from '../vocabulary/tokenizer-vocabulary.js';

export type CompileTask =
  | { readonly type: 'vocabulary'; readonly table: VocabularyTable; readonly vocabulary: number }
  | { readonly type: 'constraint'; readonly constraint: HeldForm };

export type CompileResult =
  | { readonly type: 'vocabulary'; readonly tokens: TokenVocabulary }
  | { readonly type: 'constraint'; readonly grammar: PackedGrammar };

export interface ToCompiler {
  readonly id: number;
  readonly task: CompileTask;
}

export type FromCompiler =
  | { readonly id: number; readonly result: CompileResult }
  | { readonly id: number; readonly error: ErrorReport };
