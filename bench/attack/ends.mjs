/**
 * A thousand requests over all protocols at once, and what may happen to them: a good reload, loads that fail, an unload, a shutdown
 * with too little time, an engine that dies. Each request ends complete or with a code, and the server counts what its clients do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { callsOf } from '../../dist/serve/testing/cut-calls.js';
import { Target } from './target.mjs';

const REQUEST_COUNT = 1001;
/** So many that most of the thousand are open at the same time. */
const MAX_TOKENS = 32;
const LEAST_OPEN_COUNT = 500;
const ENGINE = '/v2/repository/models/tensorrt_llm';

const post = (target, path, body) =>
  fetch(target.http + path, { method: 'POST', body: JSON.stringify(body) }).then(({ status }) => status);

/** Loads the engine again with other parameters. @returns the status */
async function reload(target, parameters) {
  const answer = await fetch(`${target.http}/v2/models/tensorrt_llm/config`);
  const config = await answer.json();
  for (const [key, value] of Object.entries(parameters)) config.parameters[key] = { string_value: value };
  return await post(target, `${ENGINE}/load`, { parameters: { config: JSON.stringify(config) } });
}

/** Cases: what happens, the codes that requests may end with, and the fault of the engine. */
const CASES = {
  'reloads with other parameters': {
    codes: [],
    happen: async (target) => [
      await reload(target, { max_num_sequences: '4' }),
      await reload(target, { max_num_sequences: '8', batch_scheduler_policy: 'max_utilization' }),
      await reload(target, { batch_scheduler_policy: 'guaranteed_no_evict' }),
    ],
    statuses: [200, 200, 200],
  },
  'loads that fail': {
    codes: [],
    happen: async (target) => [
      await reload(target, { gpt_model_path: '/nowhere' }),
      await reload(target, { max_num_sequences: 'many' }),
    ],
    statuses: [400, 400],
  },
  'an unload': {
    codes: ['503', 'UNAVAILABLE', 'MODEL_UNAVAILABLE'],
    happen: async (target) => [
      await post(target, `${ENGINE}/unload`, { parameters: { unload_dependents: true } }),
    ],
    statuses: [200],
  },
  'a shutdown with too little time': {
    codes: ['503', 'UNAVAILABLE', 'SHUTTING_DOWN'],
    happen: async (target) => {
      await target.close();
      return [];
    },
    statuses: [],
  },
  'an engine that dies': {
    codes: ['500', 'INTERNAL'],
    happen: async () => [],
    statuses: [],
    fault: 'exit',
  },
};

/** Waits until the server has all requests. @returns those that are open then */
async function openWhenAllCame(target, requests) {
  let endedCount = 0;
  for (const request of requests) void request.finally(() => endedCount++);
  for (;;) {
    const openCount = await target.activeCount();
    if (openCount + endedCount >= REQUEST_COUNT || target.ended !== null) return openCount;
    await sleep(5);
  }
}

function counted(metrics) {
  const sumOf = (name) =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && /model="(?:ensemble|tensorrt_llm_bls)"/.test(line))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  return { ended: sumOf('nv_inference_request_success'), failed: sumOf('nv_inference_request_failure') };
}

/** @returns an entry for each case; held: no request without an end, and equal counts */
export async function attackEnds(engine, repositoryOf) {
  const entries = [];
  for (const [name, { codes, happen, statuses: expected, fault }] of Object.entries(CASES)) {
    const target = await Target.start(engine, repositoryOf(name), fault);
    const address = { httpUrl: target.http, grpcAddress: target.grpc };
    const { calls, close } = callsOf(address, 'Once upon a time', MAX_TOKENS);
    const requests = Array.from({ length: REQUEST_COUNT }, (_, i) => calls[i % calls.length]());
    const openCount = await openWhenAllCame(target, requests);
    const statuses = await happen(target);
    const endings = await Promise.all(requests);
    close();
    await target.close();
    const ends = {};
    for (const { protocol, code = 'complete' } of endings)
      (ends[protocol] ??= {})[code] = (ends[protocol][code] ?? 0) + 1;
    const failed = endings.filter(({ code }) => code !== undefined);
    const counts = counted(target.lastMetrics);
    const isHeld =
      target.ended === 0 &&
      openCount >= LEAST_OPEN_COUNT &&
      JSON.stringify(statuses) === JSON.stringify(expected) &&
      failed.every(({ code }) => codes.includes(code)) &&
      (codes.length === 0) === (failed.length === 0) &&
      counts.ended === endings.length - failed.length &&
      counts.failed === failed.length;
    entries.push({ name, openCount, statuses, ends, counts, isHeld });
    console.error(`${name}: ${counts.ended} complete, ${counts.failed} with a code`);
  }
  return entries;
}
