/** A part of overhead.mjs: the server in a process of its own. */
import { SILENT_LOG } from '../../dist/core/log.js';
import { llmEngineLoader } from '../../dist/serve/engine/llm-engine-loader.js';
import { DEFAULT_SERVE_OPTIONS } from '../../dist/serve/context/options.js';
import { startServer } from '../../dist/serve/start/server.js';

const [engineDirectory, threads] = process.argv.slice(2);
const free = { host: '127.0.0.1', port: 0 };
const options = { ...DEFAULT_SERVE_OPTIONS, engineDirectory, http: free, grpc: free, metrics: free };
const server = await startServer(options, {
  loader: llmEngineLoader(threads === '0' ? {} : { threadCount: Number(threads) }),
  log: SILENT_LOG,
});
await server.modelsLoaded;
process.once('disconnect', () => void server.close());
process.send(server.ports);
