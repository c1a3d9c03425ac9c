/** A server over the demo model on the tests' device, on free ports of the loopback interface: all of it is real. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Log, SILENT_LOG } from '../core/log.js';
import type { DeviceName } from '../core/device.js';
import type { EngineOptions } from '../core/engine-options.js';
import type { LoadOptions } from '../llm/load-options.js';
import { llmEngineLoader } from '../serve/engine/llm-engine-loader.js';
import type { RunningEngine } from '../serve/generation/running-engine.js';
import { DEFAULT_SERVE_OPTIONS, type ServeOptions } from '../serve/context/options.js';
import { createRepository, type CreateOptions } from '../serve/repository/create.js';
import { startServer, type RunningServer } from '../serve/start/server.js';
import { buildTemporaryEngine, DEMO_MODEL, type BuildFlags } from './build-and-open.js';
import { DEVICE } from './device.js';

export interface DemoServer {
  readonly server: RunningServer;
  readonly engine: RunningEngine;
  readonly httpUrl: string;
  readonly grpcAddress: string;
  /** The repository's directory. */
  readonly repository: string;
  /** Posts JSON. */
  post(path: string, body: object, init?: RequestInit): Promise<Response>;
  /** Text of the metrics. */
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export interface DemoOptions {
  readonly build?: BuildFlags;
  readonly repository?: Partial<CreateOptions>;
  readonly load?: LoadOptions;
  readonly serve?: Partial<ServeOptions>;
  readonly log?: Log;
}

/**
 * A GPU multiplies a whole prompt and the rest of one whose beginning is cached with other kernels. Tests that ask the same
 * thing twice and want the same bits do without the prefix index there.
 */
const REPOSITORY: Readonly<Record<DeviceName, EngineOptions>> = { cpu: {}, cuda: { prefixReuse: false } };
const BUILD = { max_batch_size: '8', max_input_len: '256', max_output_len: '256' };

export async function startDemoServer(options: DemoOptions = {}): Promise<DemoServer> {
  const engine = await buildTemporaryEngine({ model_dir: DEMO_MODEL, ...BUILD, ...options.build });
  const directory = mkdtempSync(join(tmpdir(), 'aloft-demo-'));
  const repository = join(directory, 'models');
  createRepository({
    engineDirectory: engine.directory,
    outputDirectory: repository,
    options: REPOSITORY[DEVICE],
    ...options.repository,
  });
  const free = { host: '127.0.0.1', port: 0 };
  const serve = { modelRepositories: [repository], http: free, grpc: free, metrics: free, drainMs: 2000 };
  const server = await startServer(
    { ...DEFAULT_SERVE_OPTIONS, ...serve, ...options.serve },
    { loader: llmEngineLoader(options.load ?? {}), log: options.log ?? SILENT_LOG },
  );
  await server.modelsLoaded;
  const httpUrl = `http://127.0.0.1:${server.ports.http}`;
  return {
    server,
    get engine() {
      const [running] = server.context.repository.engines();
      if (running === undefined) throw new Error('The demo engine is not loaded.');
      return running;
    },
    httpUrl,
    grpcAddress: `127.0.0.1:${server.ports.grpc}`,
    repository,
    post: (path, body, init = {}) =>
      fetch(httpUrl + path, { ...init, method: 'POST', body: JSON.stringify(body) }),
    metrics: async () => (await fetch(`http://127.0.0.1:${server.ports.metrics}/metrics`)).text(),
    async close() {
      await server.close();
      engine.dispose();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The value of one line of a metrics text; labels are a part of what the line has between braces. */
export function metricOf(text: string, name: string, ...labels: readonly string[]): number | undefined {
  const line = text
    .split('\n')
    .find(
      (candidate) =>
        (candidate.startsWith(`${name}{`) || candidate.startsWith(`${name} `)) &&
        labels.every((label) => candidate.includes(label)),
    );
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}
