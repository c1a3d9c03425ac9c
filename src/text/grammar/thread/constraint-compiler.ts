import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { HeldForm, PackedGrammar, TokenConstraint, TokenVocabulary } from '../../../core/constraint.js';
import { AloftError } from '../../../core/errors.js';
import { checkSourceLength, constraintError } from '../limits.js';
import {
  type TokenTableLike,
  type VocabularyTable,
  vocabularyTable,
} from '../vocabulary/tokenizer-vocabulary.js';
import type { CompileResult, CompileTask, FromCompiler, ToCompiler } from './compile-messages.js';

/** Grammars that are kept, by the content of their constraints. */
const KEPT_GRAMMARS = 256;
/**
 * Time after which a constraint is given up, ms. The bounds of compilation count work and come long before it; the thread of
 * one that they should not have let through must not be lost to all others.
 */
const MAX_COMPILE_MS = 10_000;
/** Time without work after which the thread ends, ms. */
const IDLE_MS = 30_000;

interface OpenTask {
  readonly message: ToCompiler;
  readonly resolve: (result: CompileResult) => void;
  readonly reject: (error: AloftError) => void;
}

/** Compiles constraints for one tokenizer, on a thread that is there while it has work. */
export class ConstraintCompiler {
  readonly #tokenTable: TokenTableLike;
  readonly #vocabulary: number;
  readonly #kept = new Map<string, Promise<PackedGrammar>>();
  readonly #open = new Map<number, OpenTask>();
  /** Made for the first constraint. */
  #vocabularyTable: VocabularyTable | undefined;
  #tokens: Promise<TokenVocabulary> | undefined;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #lastId = 0;

  /** @param vocabulary tokens of the model */
  constructor(table: TokenTableLike, vocabulary: number) {
    this.#tokenTable = table;
    this.#vocabulary = vocabulary;
  }

  /**
   * @param continuesText the output goes on with a text, so that its first token is as any other
   * @throws {AloftError} REQUEST_INVALID for a constraint that is not supported, cannot be satisfied or is too large
   */
  async compile(constraint: HeldForm, continuesText: boolean): Promise<TokenConstraint> {
    const source = JSON.stringify(constraint);
    checkSourceLength('constraint', source);
    const key = createHash('sha256').update(source).digest('hex');
    const grammar = await this.#grammarOf(key, constraint);
    const { droppedSpaces, firstTokens } = this.#table;
    return {
      key,
      grammar,
      tokens: await this.#vocabularyTokens(),
      droppedSpaces: continuesText ? 0 : droppedSpaces,
      startsText: firstTokens !== undefined && !continuesText,
    };
  }

  get #table(): VocabularyTable {
    this.#vocabularyTable ??= vocabularyTable(this.#tokenTable);
    return this.#vocabularyTable;
  }

  #grammarOf(key: string, constraint: HeldForm): Promise<PackedGrammar> {
    const grammar = this.#kept.get(key) ?? this.#compileGrammar(constraint);
    this.#kept.delete(key);
    this.#kept.set(key, grammar);
    if (this.#kept.size > KEPT_GRAMMARS) this.#kept.delete(this.#kept.keys().next().value!);
    return grammar;
  }

  async #compileGrammar(constraint: HeldForm): Promise<PackedGrammar> {
    const result = await this.#run({ type: 'constraint', constraint });
    if (result.type !== 'constraint')
      throw new AloftError('INTERNAL', 'a constraint was answered by another task');
    return result.grammar;
  }

  #vocabularyTokens(): Promise<TokenVocabulary> {
    this.#tokens ??= this.#buildTokens();
    return this.#tokens;
  }

  async #buildTokens(): Promise<TokenVocabulary> {
    const result = await this.#run({ type: 'vocabulary', table: this.#table, vocabulary: this.#vocabulary });
    if (result.type !== 'vocabulary')
      throw new AloftError('INTERNAL', 'a vocabulary was answered by another task');
    return result.tokens;
  }

  #run(task: CompileTask): Promise<CompileResult> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const message: ToCompiler = { id: ++this.#lastId, task };
    return new Promise((resolve, reject) => {
      this.#open.set(message.id, { message, resolve, reject });
      worker.postMessage(message, []);
      if (this.#open.size === 1) this.#watch();
    });
  }

  /** Gives up the task that the thread is at, if it takes too long, and goes on with the next ones on another thread. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    const [current] = this.#open.values();
    if (current === undefined) return;
    this.#watchdog = setTimeout(() => {
      this.#rest();
      this.#open.delete(current.message.id);
      current.reject(constraintError('The constraint takes too long to compile; simplify it.'));
      if (this.#open.size === 0) return;
      this.#worker = this.#start();
      for (const { message } of this.#open.values()) this.#worker.postMessage(message, []);
      this.#watch();
    }, MAX_COMPILE_MS).unref();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./compile-thread.js', import.meta.url));
    worker.on('message', (message: FromCompiler) => this.#take(message));
    worker.on('error', (error) => this.#lose(worker, error.message));
    worker.on('exit', () => this.#lose(worker, 'it ended'));
    return worker;
  }

  #take(message: FromCompiler): void {
    const task = this.#open.get(message.id);
    this.#open.delete(message.id);
    if ('error' in message) task?.reject(new AloftError(message.error.code, message.error.message));
    else task?.resolve(message.result);
    this.#watch();
    if (this.#open.size > 0) return;
    this.#worker?.unref();
    this.#idle = setTimeout(() => this.#rest(), IDLE_MS).unref();
  }

  /** Ends the thread. A task that comes before it has ended must find none. */
  #rest(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  /** The thread is gone; the next task starts another. */
  #lose(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#watchdog);
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { reject } of open)
      reject(
        new AloftError(
          'INTERNAL',
          `The thread that compiles constraints stopped (${why}); send the request again.`,
        ),
      );
  }
}
