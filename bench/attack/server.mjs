/** The server of the attack: the demo model in a process of its own that reports on itself when asked. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRepository } from '../../dist/serve/repository/create.js';
import { llmEngineLoader } from '../../dist/serve/engine/llm-engine-loader.js';
import { DEFAULT_SERVE_OPTIONS } from '../../dist/serve/context/options.js';
import { startServer } from '../../dist/serve/start/server.js';
import { SILENT_LOG } from '../../dist/core/log.js';

/** `fault`: how the engine dies after a while; empty for one that does not. */
const [engineDirectory, outputDirectory, fault] = process.argv.slice(2);
createRepository({ engineDirectory, outputDirectory });
const free = { host: '127.0.0.1', port: 0 };
const options = {
  ...DEFAULT_SERVE_OPTIONS,
  modelRepositories: [outputDirectory],
  controlMode: 'explicit',
  loadModels: ['*'],
  http: free,
  grpc: free,
  metrics: free,
  bodyTimeoutMs: 2000,
  drainMs: 1000,
};
const executorUrl = new URL('../../dist/test/faulty-executor.js', import.meta.url).href;
const faulty = fault === '' ? {} : { executorUrl, fault, faultStepId: 1500, faultRowCount: 8 };
const loader = llmEngineLoader({ threadCount: 1, ...faulty });
const server = await startServer(options, { loader, log: SILENT_LOG });
await server.modelsLoaded;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const loop = monitorEventLoopDelay({ resolution: 2 });
loop.enable();

const ANSWERS = {
  active: async () => activeCount(),
  loop: async () => loopMs(),
  sample,
  async close() {
    await server.close();
    return await server.context.metrics.registry.metrics();
  },
};
process.on('message', (question) => {
  void answer(question);
});
process.send({ ports: server.ports });

async function answer(question) {
  const value = await ANSWERS[question]();
  process.send(value, () => question === 'close' && process.exit());
}

function activeCount() {
  return server.context.repository.engines().reduce((sum, { active }) => sum + active.count, 0);
}

/** Time for which the event loop did not turn since the last question: 99th percentile and longest, ms. */
function loopMs() {
  const delays = { p99: loop.percentile(99) / 1e6, max: loop.max / 1e6 };
  loop.reset();
  return delays;
}

/** Memory when nothing runs. */
async function sample() {
  for (let i = 0; i < 2000 && activeCount() > 0; i++) await sleep(10);
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(50);
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, heapUsed, external, arrayBuffers, activeCount: activeCount() };
}
