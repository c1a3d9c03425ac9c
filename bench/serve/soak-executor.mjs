/** The executor of an engine, in a thread that reports the size of its heap when asked over a broadcast channel. */
import { openExecutor as openEngine } from '../../dist/run/executor/open-executor.js';
import { heapAfterCollection } from './soak-heap.mjs';

export async function openExecutor(options) {
  const questions = new BroadcastChannel('soak-heap');
  questions.addEventListener('message', ({ data }) => {
    if (data === 'question') void heapAfterCollection().then((heap) => questions.postMessage(heap, []));
  });
  // The thread ends with the engine, not with this channel.
  questions.unref();
  return openEngine(options);
}
