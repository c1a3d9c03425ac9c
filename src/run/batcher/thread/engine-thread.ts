/** Entry of the engine thread: an executor and the batcher over it, driven by messages. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Clock } from '../../../core/clock.js';
import { invariant, reportError } from '../../../core/errors.js';
import { loadExecutorModule } from '../../executor/opening/executor-module.js';
import type { Executor } from '../../executor/executor.js';
import { Batcher } from '../batcher.js';
import type { EngineCommand, EngineThreadData, FromEngine, ToEngine } from './thread-messages.js';
import { OutboxSink, ThreadOutbox } from './thread-outbox.js';

async function runEngine(port: MessagePort, data: EngineThreadData): Promise<void> {
  const post = (message: FromEngine, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
  let executor: Executor;
  let batcher: Batcher;
  try {
    const module = await loadExecutorModule(data.executorUrl);
    executor = await module.openExecutor(data.executorOptions, (weightBytes) =>
      post({ type: 'loading', weightBytes }),
    );
    batcher = new Batcher(executor, data.batcher, sharedClock(data.timeOriginMs));
  } catch (thrown) {
    post({ type: 'openFailed', error: reportError(thrown) });
    port.close();
    return;
  }
  const outbox = new ThreadOutbox(post);
  batcher.onStep((stats) => outbox.addStats(stats));
  batcher.onFailure((failure) => outbox.addFailure(failure));
  executor.onFailure?.((failure) => batcher.fail(failure));
  port.on('message', (commands: ToEngine) => {
    for (const command of commands) void handleCommand(command);
  });
  const handleCommand = async (command: EngineCommand): Promise<void> => {
    if (command.type === 'submit') batcher.submitTo(command.request, new OutboxSink(outbox, command.handle));
    else if (command.type === 'cancel') batcher.cancel(command.id);
    else if (command.type === 'endSequence') batcher.endSequence(command.id, command.sequence);
    else {
      await batcher.close();
      await executor.dispose();
      port.close();
    }
  };
  batcher.start();
  post({
    type: 'opened',
    facts: {
      limits: batcher.limits,
      executorLimits: executor.limits,
      memory: executor.memory,
      rankMemory: executor.rankMemory ?? [executor.memory],
      computeThreadCount: executor.computeThreadCount ?? 0,
      deviceName: executor.deviceName,
    },
  });
}

/** The main thread's `performance.now()`. */
function sharedClock(mainOriginMs: number): Clock {
  const offsetMs = performance.timeOrigin - mainOriginMs;
  return { nowMs: () => performance.now() + offsetMs };
}

invariant(parentPort !== null, () => 'engine-thread was not started as a worker thread');
await runEngine(parentPort, workerData as EngineThreadData);
