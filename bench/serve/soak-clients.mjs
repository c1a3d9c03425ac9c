/** Clients that do one thing after the other, chosen at random, and can be asked to pause. */
import { any } from './soak-load.mjs';

export class SoakClients {
  counts = {};
  /** Failures that should not be, by what they said. */
  faults = {};
  #kinds;
  #endMs;
  #busyCount = 0;
  #pause;
  #whenPaused;
  #done;

  constructor(kinds, { clientCount, endMs }) {
    this.#kinds = kinds;
    this.#endMs = endMs;
    this.#done = Promise.all(Array.from({ length: clientCount }, () => this.#run()));
  }

  get requestCount() {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  get done() {
    return this.#done;
  }

  /** Calls `work` while no client waits for an answer; then all go on. */
  async whilePaused(work) {
    let goOn;
    this.#pause = new Promise((resolve) => (goOn = resolve));
    if (this.#busyCount > 0) await new Promise((resolve) => (this.#whenPaused = resolve));
    try {
      return await work();
    } finally {
      this.#pause = undefined;
      goOn();
    }
  }

  async #run() {
    const names = Object.keys(this.#kinds);
    while (performance.now() < this.#endMs) {
      if (this.#pause !== undefined) await this.#pause;
      const name = any(names);
      this.counts[name] = (this.counts[name] ?? 0) + 1;
      this.#busyCount++;
      await this.#do(name);
      if (--this.#busyCount === 0) this.#whenPaused?.();
    }
  }

  async #do(name) {
    try {
      await this.#kinds[name]();
    } catch (error) {
      if (error.code === 'QUEUE_FULL') return;
      const what = `${name}: ${error.message}`;
      this.faults[what] = (this.faults[what] ?? 0) + 1;
    }
  }
}
