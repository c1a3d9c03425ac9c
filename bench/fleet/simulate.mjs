/** Simulation of a fleet: events in order of time, no clock, no threads; equal arguments give equal results. */
import { seededRandom } from '../../dist/core/random.js';
import { EventQueue } from './event-queue.mjs';
import { Replica } from './replica.mjs';
import { Router } from './routing.mjs';
import { Conversations } from './workload.mjs';

/** Interval at which a gateway reads the gauges, ms: the default of the inference extension's endpoint picker. */
const LOOK_MS = 50;

/**
 * @param options policy, replicaCount, engine (limits of a replica), costs (of steps), workload, seed; startMs and endMs of the
 *   time that counts, before which caches fill
 * @returns output tokens a second and replica; p50 and p99 of the time to first token, and p50 of the time between later ones, ms;
 *   the share of prompt tokens that came from prefix caches, the share of time that steps took, and how many requests ended
 */
export function simulate(options) {
  const fleet = new Fleet(options);
  fleet.run();
  return fleet.summary();
}

class Fleet {
  #options;
  #replicas;
  #isBusy;
  #router;
  #conversations;
  #events = new EventQueue();
  #requestCount = 0;
  /** Requests that ended in the time that counts. */
  #counts = { firstTokenMs: [], nextTokenMs: [], promptTokens: 0, cachedTokens: 0 };
  #atStart;

  constructor(options) {
    const { policy, replicaCount, engine, costs, workload, seed } = options;
    this.#options = options;
    this.#replicas = Array.from({ length: replicaCount }, () => new Replica(engine, costs));
    this.#isBusy = new Uint8Array(replicaCount);
    const kvTokens = engine.blockCount * engine.blockTokens;
    this.#router = new Router(policy, replicaCount, kvTokens, seededRandom(seed + 1));
    this.#conversations = new Conversations(workload, replicaCount, seed);
  }

  run() {
    this.#meet();
    this.#look(0);
    this.#events.add(this.#options.startMs, () => (this.#atStart = this.#work()));
    for (let event = this.#events.take(); event.timeMs < this.#options.endMs; event = this.#events.take())
      event.act(event.timeMs);
  }

  summary() {
    const { startMs, endMs, replicaCount } = this.#options;
    const { firstTokenMs, nextTokenMs, promptTokens, cachedTokens } = this.#counts;
    const [before, after] = [this.#atStart, this.#work()];
    const replicaMs = (endMs - startMs) * replicaCount;
    return {
      requests: firstTokenMs.length,
      tokensPerSecondAndReplica: (1000 * (after.tokenCount - before.tokenCount)) / replicaMs,
      firstTokenP50Ms: quantile(firstTokenMs, 0.5),
      firstTokenP99Ms: quantile(firstTokenMs, 0.99),
      nextTokenP50Ms: quantile(nextTokenMs, 0.5),
      prefixHitRate: cachedTokens / promptTokens,
      busyShare: (after.busyMs - before.busyMs) / replicaMs,
    };
  }

  /** Work that all replicas have done so far. */
  #work() {
    const total = (key) => this.#replicas.reduce((sum, replica) => sum + replica[key], 0);
    return { tokenCount: total('tokenCount'), busyMs: total('busyMs') };
  }

  /** Lets the next conversation begin in its time, and then the one after it. */
  #meet() {
    const conversation = this.#conversations.next();
    this.#events.add(conversation.startMs, (nowMs) => {
      this.#send(conversation.request(), nowMs);
      this.#meet();
    });
  }

  #look(timeMs) {
    this.#events.add(timeMs, (nowMs) => {
      this.#router.look(this.#replicas);
      this.#look(nowMs + LOOK_MS);
    });
  }

  #send(request, nowMs) {
    request.id = this.#requestCount++;
    request.submittedMs = nowMs;
    const at = this.#router.choose(request.prompt);
    this.#replicas[at].add(request, nowMs);
    if (this.#isBusy[at] === 0) this.#step(at, nowMs);
  }

  #step(at, nowMs) {
    const replica = this.#replicas[at];
    const durationMs = replica.start();
    this.#isBusy[at] = Number(durationMs !== undefined);
    if (durationMs === undefined) return;
    this.#events.add(nowMs + durationMs, (endMs) => {
      replica.finish(endMs, (request) => this.#answered(request));
      this.#step(at, endMs);
    });
  }

  #answered(request) {
    if (request.endMs >= this.#options.startMs) this.#count(request);
    const next = request.conversation.request();
    if (next !== undefined)
      this.#events.add(request.endMs + request.pauseMs, (nowMs) => this.#send(next, nowMs));
  }

  #count({ submittedMs, firstMs, endMs, prompt, output, cachedTokens }) {
    this.#counts.firstTokenMs.push(firstMs - submittedMs);
    if (output.length > 1) this.#counts.nextTokenMs.push((endMs - firstMs) / (output.length - 1));
    this.#counts.promptTokens += prompt.length;
    this.#counts.cachedTokens += cachedTokens;
  }
}

/** The value below which this share of all lies. */
function quantile(values, share) {
  return Float64Array.from(values).toSorted()[Math.floor(values.length * share)];
}
