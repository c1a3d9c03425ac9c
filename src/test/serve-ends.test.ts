/**
 * Ends of requests to the real engine while it is replaced, while a replacement fails, and when it dies: each is complete or has a
 * code, and the server's counts are those of its clients.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LoadOptions } from '../llm/load-options.js';
import { callsOf, type Ending } from '../serve/testing/cut-calls.js';
import { until } from '../serve/testing/test-server.js';
import { metricOf, startDemoServer, type DemoOptions, type DemoServer } from './demo-server.js';
import type { FaultOptions } from './faulty-executor.js';

let demo: DemoServer | undefined;
const clients: ReturnType<typeof callsOf>[] = [];
beforeEach(() => (demo = undefined));
afterEach(async () => {
  for (const { close } of clients.splice(0)) close();
  await demo?.close();
});

const PROMPT = 'Once upon a time';
const MAX_TOKENS = 12;

async function start(options: DemoOptions = {}): Promise<DemoServer> {
  demo = await startDemoServer({ serve: { controlMode: 'explicit', loadModels: ['*'] }, ...options });
  return demo;
}

function callsFor(own: DemoServer, maxTokens = MAX_TOKENS) {
  const calls = callsOf(own, PROMPT, maxTokens);
  clients.push(calls);
  return calls.calls;
}

/** Requests that the server counts as ended well, and those that it counts as failed. */
async function counts(own: DemoServer) {
  const text = await own.metrics();
  const sumOf = (name: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && /model="(?:ensemble|tensorrt_llm_bls)"/.test(line))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  return { ended: sumOf('nv_inference_request_success'), failed: sumOf('nv_inference_request_failure') };
}

const CLIENTS_OF_A_CALL = 2;

/** Clients of every call, each of which asks again as soon as it is answered, while `work` goes on. @returns all ends */
async function during(own: DemoServer, work: () => Promise<void>): Promise<Ending[]> {
  const endings: Ending[] = [];
  let isOver = false;
  const loops = callsFor(own).flatMap((call) =>
    Array.from({ length: CLIENTS_OF_A_CALL }, async () => {
      while (!isOver) endings.push(await call());
    }),
  );
  try {
    await until(() => endings.length > loops.length);
    await work();
    const { length } = endings;
    await until(() => endings.length > length + loops.length);
  } finally {
    isOver = true;
    await Promise.all(loops);
  }
  return endings;
}

type Parameters = Readonly<Record<string, string>>;

/** Loads a model again, the engine's with other parameters. */
async function reload(own: DemoServer, model: string, parameters: Parameters = {}): Promise<Response> {
  const config = (await (await fetch(`${own.httpUrl}/v2/models/${model}/config`)).json()) as {
    parameters: Record<string, unknown>;
  };
  for (const [key, value] of Object.entries(parameters)) config.parameters[key] = { string_value: value };
  return await own.post(`/v2/repository/models/${model}/load`, {
    parameters: { config: JSON.stringify(config) },
  });
}

describe('while the engine is loaded again', () => {
  test('every request of every protocol is complete, and none is refused', async () => {
    const own = await start();
    const expected = await Promise.all(callsFor(own).map((call) => call()));
    const engines = new Set([own.engine]);
    const endings = await during(own, async () => {
      const changes: readonly Parameters[] = [
        { batch_scheduler_policy: 'max_utilization' },
        { max_num_sequences: '3', batch_scheduler_policy: 'guaranteed_no_evict' },
        { max_num_sequences: '8', max_tokens_in_paged_kv_cache: '2048' },
      ];
      for (const parameters of changes) {
        expect((await reload(own, 'tensorrt_llm', parameters)).status).toBe(200);
        engines.add(own.engine);
      }
      // All members again, tokenizers among them.
      expect((await reload(own, 'ensemble')).status).toBe(200);
      engines.add(own.engine);
    });
    expect(engines.size).toBe(5);
    expect(own.engine.loaded.maxSequenceCount).toBe(8);
    expect(endings.filter(({ code }) => code !== undefined)).toEqual([]);
    for (const ending of endings)
      expect(ending).toEqual(
        expected.find(({ protocol, text }) => protocol === ending.protocol && text === ending.text),
      );
    expect(await counts(own)).toEqual({ ended: expected.length + endings.length, failed: 0 });
  });

  test('a load that fails changes nothing for them', async () => {
    const own = await start();
    const { engine } = own;
    const endings = await during(own, async () => {
      const faults: readonly Parameters[] = [
        { gpt_model_path: '/nowhere' },
        { max_num_sequences: 'many' },
        { kv_cache_free_gpu_mem_fraction: '7' },
      ];
      for (const parameters of faults) {
        const answer = await reload(own, 'tensorrt_llm', parameters);
        expect([parameters, answer.status, await answer.text()]).toEqual([
          parameters,
          400,
          expect.stringMatching(/^\{"error":".*"\}$/),
        ]);
      }
    });
    expect(own.engine).toBe(engine);
    expect(endings.filter(({ code }) => code !== undefined)).toEqual([]);
    expect(await counts(own)).toEqual({ ended: endings.length, failed: 0 });
  });
});

describe.each<FaultOptions['fault']>(['throw', 'exit'])('when the engine ends by %s', (fault) => {
  test('every request is complete or has a code, and the counts add up', async () => {
    const executorUrl = new URL('./faulty-executor.js', import.meta.url).href;
    const load: LoadOptions & FaultOptions = { executorUrl, faultStepId: 24, faultRowCount: 8, fault };
    const own = await start({ load });
    const calls = callsFor(own);
    const endings = await Promise.all(Array.from({ length: 70 }, (_, i) => calls[i % calls.length]!()));
    const failed = endings.filter(({ code }) => code !== undefined);
    expect(failed.length).toBeGreaterThan(0);
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['500', 'INTERNAL']));
    expect(await counts(own)).toEqual({ ended: endings.length - failed.length, failed: failed.length });
    expect(metricOf(await own.metrics(), 'aloft_running_requests') ?? 0).toBe(0);
  });
});
