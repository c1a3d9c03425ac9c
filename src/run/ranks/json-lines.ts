import { createInterface, type Interface } from 'node:readline';
import type { Socket } from 'node:net';

/** Messages as lines of JSON. */
export class JsonLines {
  readonly #socket: Socket;
  readonly #lines: Interface;
  readonly #waiting: string[] = [];

  constructor(socket: Socket) {
    this.#socket = socket.on('error', () => undefined);
    this.#lines = createInterface({ input: socket });
    this.#lines.on('line', (line) => {
      if (this.#lines.listenerCount('taken') === 0) this.#waiting.push(line);
      else this.#lines.emit('taken', line);
    });
  }

  next<Message>(): Promise<Message> {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return Promise.resolve(JSON.parse(waiting) as Message);
    return new Promise((resolve) =>
      this.#lines.once('taken', (line: string) => resolve(JSON.parse(line) as Message)),
    );
  }

  send(message: unknown): Promise<void> {
    return new Promise((resolve) => this.#socket.write(`${JSON.stringify(message)}\n`, () => resolve()));
  }
}
