/** The process under attack, and a second client that measures what it waits meanwhile. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./server.mjs', import.meta.url));

export class Target {
  #child;
  /** @property ended exit status or signal of a process that should live; null while it does */
  constructor(child, ports) {
    this.#child = child;
    this.ended = null;
    this.http = `http://127.0.0.1:${ports.http}`;
    this.httpPort = ports.http;
    this.grpc = `127.0.0.1:${ports.grpc}`;
    this.metrics = `http://127.0.0.1:${ports.metrics}`;
    child.once('exit', (status, signal) => (this.ended = signal ?? status));
  }

  /** @param fault how the engine dies after a while */
  static async start(engine, repository, fault = '') {
    const child = fork(PROGRAM, [engine, repository, fault]);
    const [{ ports }] = await once(child, 'message');
    return new Target(child, ports);
  }

  async #ask(question) {
    this.#child.send(question);
    const [answer] = await once(this.#child, 'message');
    return answer;
  }

  sample() {
    return this.#ask('sample');
  }

  /** Time for which the server's event loop did not turn since the last question: `p99` and `max`, ms. */
  loopMs() {
    return this.#ask('loop');
  }

  /** Open requests. */
  activeCount() {
    return this.#ask('active');
  }

  /** @property lastMetrics text of the metrics after the last request */
  async close() {
    if (this.ended !== null) return;
    const ended = once(this.#child, 'exit');
    this.lastMetrics = await this.#ask('close');
    await ended;
  }
}

/** The second client. It asks for health and for a short text, again and again, while it watches. */
export class Watcher {
  #child = fork(fileURLToPath(new URL('./watcher.mjs', import.meta.url)));

  /** @returns the value of `work`, and what each answer took meanwhile, ms */
  async during(target, work) {
    this.#child.send(target.http);
    try {
      const value = await work();
      return { value, waits: await this.#stop() };
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  async #stop() {
    // Long enough for an answer of each kind.
    await sleep(100);
    this.#child.send('stop');
    const [waits] = await once(this.#child, 'message');
    return waits;
  }

  close() {
    this.#child.disconnect();
  }
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
