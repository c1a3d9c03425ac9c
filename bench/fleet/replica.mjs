/** A replica of the simulation: the engine's own scheduler and KV cache, with a step's measured duration for its executor. */
import { KvCache } from '../../dist/run/kv/kv-cache.js';
import { Scheduler } from '../../dist/run/scheduler/scheduler.js';
import { SequenceGroup } from '../../dist/run/scheduler/sequence.js';
import { DEFAULT_BATCHER_OPTIONS } from '../../dist/run/batcher/batcher-options.js';
import { promptPairs, stepMs } from './step-costs.mjs';

export class Replica {
  #costs;
  #scheduler;
  #kv;
  #requests = new Map();
  #rows = [];
  /** Tokens that requests were given, and the time that steps took, ms. */
  tokenCount = 0;
  busyMs = 0;

  /** @param engine limits of the engine: blockCount, blockTokens, maxSequenceCount, maxStepTokens, maxSequenceTokens */
  constructor(engine, costs) {
    const { blockCount, blockTokens, maxSequenceCount, maxStepTokens, maxSequenceTokens } = engine;
    const { batchingType, policy, priorityHeadStartMs } = DEFAULT_BATCHER_OPTIONS;
    const shape = { blockCount, blockTokens, slotCount: maxSequenceCount, maxSequenceTokens };
    this.#costs = costs;
    this.#kv = new KvCache({ ...shape, hostBlockCount: 0, prefixReuse: true });
    const limits = { batchingType, policy, priorityHeadStartMs, maxSequenceCount, maxStepTokens };
    this.#scheduler = new Scheduler({ ...limits, maxStepLogits: maxSequenceCount, swap: false }, this.#kv);
  }

  get waitingCount() {
    return this.#scheduler.waitingCount;
  }

  get runningCount() {
    return this.#scheduler.runningCount;
  }

  /** Share of the KV cache that sequences hold; blocks kept for prefixes only are free for whoever comes. */
  get kvShare() {
    return 1 - (this.#kv.freeCount + this.#kv.cachedCount) / this.#kv.blockCount;
  }

  /** @param request with prompt (Int32Array), output (token ids, Int32Array) */
  add(request, nowMs) {
    const group = new SequenceGroup({
      id: request.id,
      promptTokenIds: request.prompt,
      maxOutputTokens: request.output.length,
      width: 1,
      isBeamSearch: false,
      scoresPrompt: false,
      cacheSalt: undefined,
      priority: 0,
      submittedMs: nowMs,
      startBeforeMs: Infinity,
      endBeforeMs: Infinity,
    });
    this.#requests.set(group, request);
    this.#scheduler.add(group);
  }

  /** Plans a step. @returns its duration in ms; undefined when nothing can run */
  start() {
    const plan = this.#scheduler.plan();
    if (plan.rowCount === 0) return undefined;
    let context = 0;
    let pairs = 0;
    for (const [list, isDecode] of [
      [plan.decodeRows, true],
      [plan.prefillRows, false],
    ])
      for (let row = 0; row < list.length; row++) {
        const [before, count] = [list.starts.at(row), list.counts.at(row)];
        if (isDecode) context += before;
        else pairs += promptPairs(count, before);
        if (list.samples.at(row) === 1) this.#rows.push(list.sequence(row));
      }
    const duration = stepMs(this.#costs, { tokens: plan.tokenCount, context, pairs });
    this.busyMs += duration;
    return duration;
  }

  /** Takes the tokens of the step that {@link start} planned. @param onEnd is called with each request that has ended */
  finish(nowMs, onEnd) {
    const rows = this.#rows;
    this.#rows = [];
    this.tokenCount += rows.length;
    for (const sequence of rows) {
      const { group, outputCount } = sequence;
      const request = this.#requests.get(group);
      if (outputCount === 0) request.firstMs = nowMs;
      sequence.inFlightCount--;
      sequence.append(request.output[outputCount]);
      if (sequence.outputCount < request.output.length) continue;
      request.endMs = nowMs;
      request.cachedTokens = group.cachedPromptTokens;
      this.#scheduler.finish(sequence);
      this.#requests.delete(group);
      onEnd(request);
    }
  }
}
