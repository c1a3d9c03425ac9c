/** The server of the soak: the demo model in a process of its own that reports its memory when asked. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRepository } from '../../dist/serve/repository/create.js';
import { llmEngineLoader } from '../../dist/serve/engine/llm-engine-loader.js';
import { DEFAULT_SERVE_OPTIONS } from '../../dist/serve/context/options.js';
import { startServer } from '../../dist/serve/start/server.js';
import { SILENT_LOG } from '../../dist/core/log.js';
import { heapAfterCollection } from './soak-heap.mjs';

const [engineDirectory, outputDirectory] = process.argv.slice(2);
createRepository({ engineDirectory, outputDirectory });
const free = { host: '127.0.0.1', port: 0 };
const ports = { http: free, grpc: free, metrics: free };
const limits = { maxBodyBytes: 2 ** 20, maxQueuedRequestCount: 16, drainMs: 5000 };
const executorUrl = new URL('./soak-executor.mjs', import.meta.url).href;
const server = await startServer(
  { ...DEFAULT_SERVE_OPTIONS, modelRepositories: [outputDirectory], ...ports, ...limits },
  { loader: llmEngineLoader({ executorUrl }), log: SILENT_LOG },
);
await server.modelsLoaded;
const engineThread = new BroadcastChannel('soak-heap');

process.on('message', (question) => {
  if (question === 'sample') void sample().then((memory) => process.send(memory));
  else void server.close().then(() => process.exit());
});
const [{ engine }] = server.context.metrics.engines();
process.send({ ports: server.ports, vocabularySize: engine.loaded.generator.model.vocabulary });

async function sample() {
  // The clients have paused: what they left behind may take a moment to end.
  for (let i = 0; i < 500 && engine.active.count > 0; i++) await sleep(10);
  const answer = once(engineThread, 'message');
  engineThread.postMessage('question', []);
  const [{ data }] = await answer;
  const main = await heapAfterCollection();
  const { external, rss } = process.memoryUsage();
  const [{ latest }] = server.context.metrics.engines();
  return {
    main,
    engineThread: data,
    externalBytes: external,
    rssBytes: rss,
    activeCount: engine.active.count,
    heldBlocks: latest.totalBlockCount - latest.freeBlockCount - latest.cachedBlockCount,
  };
}
