/** Entry of the thread that compiles constraints, so that a large one holds up nobody else. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { invariant, reportError } from '../../../core/errors.js';
import { compileConstraint } from '../compile-constraint.js';
import { packGrammar } from '../packed-grammar.js';
import { tokenizerVocabulary } from '../vocabulary/tokenizer-vocabulary.js';
import type { CompileResult, CompileTask, FromCompiler, ToCompiler } from './compile-messages.js';

function run(task: CompileTask): CompileResult {
  if (task.type === 'constraint')
    return { type: 'constraint', grammar: packGrammar(compileConstraint(task.constraint)) };
  return { type: 'vocabulary', tokens: tokenizerVocabulary(task.table, task.vocabulary) };
}

function answer({ id, task }: ToCompiler): FromCompiler {
  try {
    return { id, result: run(task) };
  } catch (thrown) {
    return { id, error: reportError(thrown) };
  }
}

function serve(port: MessagePort): void {
  port.on('message', (message: ToCompiler) => port.postMessage(answer(message)));
}

invariant(parentPort !== null, () => 'compile-thread was not started as a worker thread');
serve(parentPort);
