/**
 * Ways to choose a replica. A gateway does not see the replicas as they are: it reads their gauges from time to time, and
 * counts the requests that it has sent since as waiting.
 */
import { hashesOf, PrefixMemory } from './prefixes.mjs';

/** Weights of the scores, as the endpoint picker of Kubernetes' inference extension has them by default. */
const QUEUE = 2;
const KV = 2;
const PREFIX = 3;

export const POLICIES = ['in turn', 'least queue', 'KV-aware', 'prefix-aware'];

export class Router {
  #policy;
  #random;
  #views;
  #prefixes;
  #next = 0;

  /** @param kvTokens tokens of a replica's KV cache */
  constructor(policy, replicaCount, kvTokens, random) {
    this.#policy = policy;
    this.#random = random;
    this.#views = Array.from({ length: replicaCount }, () => ({ queue: 0, running: 0, kvShare: 0 }));
    this.#prefixes = policy === 'prefix-aware' ? new PrefixMemory(replicaCount, kvTokens) : undefined;
    this.kvTokens = kvTokens;
  }

  /** Reads the gauges of all replicas. */
  look(replicas) {
    for (const [at, { waitingCount, runningCount, kvShare }] of replicas.entries())
      this.#views[at] = { queue: waitingCount, running: runningCount, kvShare };
  }

  /** @returns the index of the replica that gets the prompt */
  choose(prompt) {
    if (this.#policy === 'in turn') return this.#next++ % this.#views.length;
    if (this.#policy === 'least queue') return this.#sent(prompt, this.#best(leastQueue));
    const hashes = this.#prefixes === undefined ? [] : hashesOf(prompt);
    const known = this.#prefixes?.sharesOf(hashes);
    const [least, most] = this.#queueRange();
    const score = (view, at) => {
      const queue = most === least ? 1 : (most - view.queue) / (most - least);
      return QUEUE * queue + KV * (1 - view.kvShare) + PREFIX * (known?.get(at) ?? 0);
    };
    const chosen = this.#best(score);
    this.#prefixes?.remember(chosen, hashes);
    return this.#sent(prompt, chosen);
  }

  #sent(prompt, chosen) {
    const view = this.#views[chosen];
    view.queue++;
    view.kvShare = Math.min(1, view.kvShare + prompt.length / this.kvTokens);
    return chosen;
  }

  #queueRange() {
    let [least, most] = [Infinity, 0];
    for (const { queue } of this.#views) {
      least = Math.min(least, queue);
      most = Math.max(most, queue);
    }
    return [least, most];
  }

  /** Index of the highest score; among equals, one by lot. */
  #best(score) {
    let [best, bestScore, count] = [0, -Infinity, 0];
    for (const [at, view] of this.#views.entries()) {
      const value = score(view, at);
      if (value > bestScore) [best, bestScore, count] = [at, value, 1];
      else if (value === bestScore && this.#random.next() * ++count < 1) best = at;
    }
    return best;
  }
}

/** Fewest that wait, then fewest that run. */
const leastQueue = ({ queue, running }) => -queue - running / 1e6;
