/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */

import { writeJson } from './json.js';

/** One event with one line of data. `data` must not contain line breaks (JSON text never does). */
export function sseFrame(data: string): string {
  return `data: ${data}\n\n`;
}

/** An event whose name is its type. */
export function typedFrame(data: { readonly type: string; readonly [member: string]: unknown }): string {
  return `event: ${data.type}\n${sseFrame(writeJson(data))}`;
}

/** Cuts a byte stream into the `data` of its events. Other fields and comments are dropped. */
export class SseDecoder {
  readonly #decoder = new TextDecoder();
  #rest = '';
  #dataLines: string[] = [];

  /** @returns the data of every event that these bytes complete. */
  push(bytes: Uint8Array): string[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const events: string[] = [];
    for (const line of lines) this.#takeLine(line, events);
    return events;
  }

  #takeLine(line: string, events: string[]): void {
    if (line === '') {
      if (this.#dataLines.length > 0) events.push(this.#dataLines.join('\n'));
      this.#dataLines = [];
    } else if (line.startsWith('data:')) {
      this.#dataLines.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
  }
}
