/**
 * Conversations of many applications. A request's prompt is its application's system prompt, the conversation so far and a new
 * message, so that prompts share beginnings in the two ways that they do in practice: with others of the application, and with
 * the turn before. Tokens are a function of their owner and position; equal prefixes are equal ids, and nothing else is.
 */
import { seededRandom } from '../../dist/core/random.js';
import { parseDistribution } from '../../dist/tools/bench/distribution.js';

/** Lengths in tokens, times in ms. A simulation adds `conversationsPerSecond`, those that begin for each replica. */
export const WORKLOAD = {
  applicationsPerReplica: 16,
  systemTokens: 1536,
  /** Share of an application falls with its rank to this power (Zipf). */
  popularityExponent: 0.9,
  turns: 4,
  messageTokens: 'geometric:160,1024',
  outputTokens: 'geometric:160,1024',
  /** From an answer to the next message, mean of an exponential distribution. */
  meanPauseMs: 2000,
};

/** Source of conversations, in order of their start. */
export class Conversations {
  #random;
  #workload;
  #meanGapMs;
  #shares;
  #messageTokens;
  #outputTokens;
  #nextMs = 0;
  #count = 0;

  /** @param workload {@link WORKLOAD} with conversationsPerSecond */
  constructor(workload, replicaCount, seed) {
    this.#random = seededRandom(seed);
    this.#workload = workload;
    this.#meanGapMs = 1000 / (workload.conversationsPerSecond * replicaCount);
    this.#messageTokens = parseDistribution(workload.messageTokens, 'messageTokens');
    this.#outputTokens = parseDistribution(workload.outputTokens, 'outputTokens');
    this.#shares = cumulativeShares(
      workload.applicationsPerReplica * replicaCount,
      workload.popularityExponent,
    );
  }

  /** The next conversation, with the time of its first request. Its answers and pauses are drawn now, whatever happens to it. */
  next() {
    const { systemTokens, turns, meanPauseMs } = this.#workload;
    const random = this.#random;
    this.#nextMs += exponential(random, this.#meanGapMs);
    const application = indexOf(this.#shares, random.next());
    const plan = Array.from({ length: turns }, () => ({
      messageTokens: this.#messageTokens(random),
      outputTokens: this.#outputTokens(random),
      pauseMs: exponential(random, meanPauseMs),
    }));
    const tokens = new Int32Array(
      systemTokens + sum(plan.map((turn) => turn.messageTokens + turn.outputTokens)),
    );
    fill(tokens, 0, systemTokens, -1 - application);
    fill(tokens, systemTokens, tokens.length, ++this.#count);
    return new Conversation(this.#nextMs, tokens, systemTokens, plan);
  }
}

class Conversation {
  #tokens;
  #plan;
  #turn = 0;
  #length;

  constructor(startMs, tokens, systemTokens, plan) {
    this.startMs = startMs;
    this.#tokens = tokens;
    this.#length = systemTokens;
    this.#plan = plan;
  }

  /** The next request; undefined after the last. */
  request() {
    const turn = this.#plan[this.#turn++];
    if (turn === undefined) return undefined;
    const promptEnd = this.#length + turn.messageTokens;
    this.#length = promptEnd + turn.outputTokens;
    return {
      conversation: this,
      prompt: this.#tokens.subarray(0, promptEnd),
      output: this.#tokens.subarray(promptEnd, this.#length),
      pauseMs: turn.pauseMs,
    };
  }
}

function fill(tokens, start, end, owner) {
  for (let at = start; at < end; at++) tokens[at] = Math.imul(owner * 4096 + at, 0x9e3779b1) >>> 1;
}

/** [applications] shares of all up to and with each. */
function cumulativeShares(count, exponent) {
  const shares = Float64Array.from({ length: count }, (_, rank) => (rank + 1) ** -exponent);
  const total = shares.reduce((all, share) => all + share, 0);
  let before = 0;
  return shares.map((share) => (before += share / total));
}

/** Index of the first value above `wanted`. */
function indexOf(values, wanted) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

const exponential = (random, mean) => -mean * Math.log(1 - random.next());
const sum = (values) => values.reduce((total, value) => total + value, 0);
