/** The server of the soak: the demo model in a process of its own that tells its memory when asked. */
import { createRepository } from '../../dist/serve/repository/create.js';
import { engineLoader } from '../../dist/serve/engine-loader.js';
import { DEFAULT_SERVE_OPTIONS } from '../../dist/serve/options.js';
import { startServer } from '../../dist/serve/server.js';
import { SILENT_LOG } from '../../dist/core/log.js';

const [engineDirectory, outputDirectory] = process.argv.slice(2);
createRepository({ engineDirectory, outputDirectory });
const free = { host: '127.0.0.1', port: 0 };
const ports = { http: free, grpc: free, metrics: free };
const limits = { maxBodyBytes: 2 ** 20, maxQueuedRequestCount: 16, drainMs: 5000 };
const server = await startServer(
  { ...DEFAULT_SERVE_OPTIONS, modelRepositories: [outputDirectory], ...ports, ...limits },
  { loader: engineLoader({}), log: SILENT_LOG },
);
await server.modelsLoaded;

process.on('message', (question) => {
  if (question === 'sample') process.send(sample());
  else void server.close().then(() => process.exit());
});
process.send({ ports: server.ports });

function sample() {
  // Twice: what the first collection finalises only the second one frees.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, rss, external } = process.memoryUsage();
  const [{ engine, latest }] = server.context.metrics.engines();
  return {
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
    activeCount: engine.active.count,
    heldBlocks: latest.totalBlockCount - latest.freeBlockCount - latest.cachedBlockCount,
  };
}
