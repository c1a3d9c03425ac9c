/** The server of the attack: the demo model in a process of its own that reports its memory when asked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRepository } from '../../dist/serve/repository/create.js';
import { llmEngineLoader } from '../../dist/serve/engine/llm-engine-loader.js';
import { DEFAULT_SERVE_OPTIONS } from '../../dist/serve/context/options.js';
import { startServer } from '../../dist/serve/start/server.js';
import { SILENT_LOG } from '../../dist/core/log.js';

const [engineDirectory, outputDirectory] = process.argv.slice(2);
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
const server = await startServer(options, { loader: llmEngineLoader({ threadCount: 1 }), log: SILENT_LOG });
await server.modelsLoaded;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

process.on('message', (question) => {
  if (question === 'sample') void sample().then((memory) => process.send(memory));
  else void server.close().then(() => process.exit());
});
process.send({ ports: server.ports });

/** Memory when nothing runs. */
async function sample() {
  const { repository } = server.context;
  const activeCount = () => repository.engines().reduce((sum, { active }) => sum + active.count, 0);
  for (let i = 0; i < 2000 && activeCount() > 0; i++) await sleep(10);
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(50);
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, heapUsed, external, arrayBuffers, activeCount: activeCount() };
}
