/** A server over a scripted model on free ports of the loopback interface, with a temporary repository. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOG, type Log } from '../../core/log.js';
import { DEFAULT_SERVE_OPTIONS, type ServeOptions } from '../context/options.js';
import { createRepository } from '../repository/create.js';
import { startServer, type RunningServer } from '../start/server.js';
import { ScriptedLoader, type ModelScript, type ScriptedModel } from './scripted-model.js';

export interface TestServer {
  readonly server: RunningServer;
  readonly loader: ScriptedLoader;
  /** The engine behind `ensemble`. */
  readonly model: ScriptedModel;
  readonly directory: string;
  readonly repository: string;
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly metricsUrl: string;
  close(): Promise<void>;
}

/** A directory that looks like an engine as far as a repository looks at it. */
export function fakeEngine(parent: string): string {
  const directory = join(parent, 'engine');
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(directory, 'config.json'),
    JSON.stringify({ builder_config: { max_batch_size: 8, max_beam_width: 1 } }),
  );
  return directory;
}

export interface TestOptions {
  readonly script?: Partial<ModelScript>;
  readonly options?: Partial<ServeOptions>;
  /** Called with the new repository before the server starts. */
  readonly prepare?: (repository: string) => void;
  readonly loader?: ScriptedLoader;
  /** Default: none. */
  readonly log?: Log;
  /** Do not wait for models. */
  readonly whileLoading?: boolean;
}

/** Close it, or its directory stays. */
export async function startTestServer(test: TestOptions = {}): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'aloft-serve-'));
  try {
    return await startIn(directory, test);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(directory: string, test: TestOptions): Promise<TestServer> {
  const repository = join(directory, 'models');
  createRepository({ engineDirectory: fakeEngine(directory), outputDirectory: repository });
  test.prepare?.(repository);
  const loader = test.loader ?? new ScriptedLoader(test.script);
  const free = { host: '127.0.0.1', port: 0 };
  const options = {
    ...DEFAULT_SERVE_OPTIONS,
    modelRepositories: [repository],
    http: free,
    grpc: free,
    metrics: free,
    drainMs: 2000,
    restart: false,
    ...test.options,
  };
  const server = await startServer(options, { loader, log: test.log ?? SILENT_LOG });
  if (!test.whileLoading) await server.modelsLoaded;
  const scheme = options.tls === undefined ? 'http' : 'https';
  return {
    server,
    loader,
    get model() {
      const model = loader.models.get('tensorrt_llm');
      if (model === undefined) throw new Error('The scripted engine is not loaded.');
      return model;
    },
    directory,
    repository,
    httpUrl: `${scheme}://127.0.0.1:${server.ports.http}`,
    grpcAddress: `127.0.0.1:${server.ports.grpc}`,
    metricsUrl: `http://127.0.0.1:${server.ports.metrics}/metrics`,
    async close() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Waits until a condition holds. The limit only keeps a test that will fail from hanging: how long things take on a slow or
 * busy machine is no part of any test.
 * @throws {Error} after `limitMs`.
 */
export async function until(condition: () => boolean, limitMs = 60_000): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > limitMs)
      throw new Error(`The condition did not hold within ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
