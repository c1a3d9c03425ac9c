/** Responses that later ones continue, in memory and within bounds: those that were used longest ago go first. */
import { AloftError } from '../../core/errors.js';
import type { ChatMessage } from '../../core/generate.js';
import { writeJson } from '../../protocol/json.js';
import type { OutputItem } from '../../protocol/openai/responses/output.js';

export interface StoredResponse {
  /** The answer as it was sent. */
  readonly body: { readonly output?: readonly OutputItem[] };
  /** The conversation up to and with the answer, without instructions. */
  readonly messages: readonly ChatMessage[];
}

interface Entry extends StoredResponse {
  readonly caller: string | undefined;
  readonly characterCount: number;
}

/** Bounds of everything that is kept. */
export interface StoreLimits {
  readonly responseCount: number;
  /** JSON of messages and answers. Conversations that go on share their messages, and each counts them. */
  readonly characterCount: number;
}

export const STORE_LIMITS: StoreLimits = { responseCount: 4096, characterCount: 64 * 2 ** 20 };

export class ResponseStore {
  readonly #limits: StoreLimits;
  readonly #entries = new Map<string, Entry>();
  /** Responses by the ids of their items. */
  readonly #responseOfItem = new Map<string, string>();
  #characterCount = 0;

  constructor(limits: StoreLimits) {
    this.#limits = limits;
  }

  /** Keeps a response for the caller who asked for it. One that is larger than all that may be kept is not. */
  add(id: string, response: StoredResponse, caller: string | undefined): void {
    const characterCount = writeJson([response.body, response.messages]).length;
    if (characterCount > this.#limits.characterCount) return;
    this.#entries.set(id, { ...response, caller, characterCount });
    this.#characterCount += characterCount;
    for (const item of response.body.output ?? []) this.#responseOfItem.set(item.id, id);
    for (const old of this.#entries.keys()) {
      if (
        this.#entries.size <= this.#limits.responseCount &&
        this.#characterCount <= this.#limits.characterCount
      )
        break;
      this.#drop(old);
    }
  }

  /** @throws {AloftError} RESPONSE_NOT_FOUND for one that is not kept, or that another caller asked for */
  get(id: string, caller: string | undefined): StoredResponse {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.caller !== caller)
      throw new AloftError(
        'RESPONSE_NOT_FOUND',
        `There is no response '${id.slice(0, 100)}': it was not stored, or has been dropped for newer ones; send the whole conversation as input.`,
      );
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry;
  }

  /** An item of a response that is kept. @throws {AloftError} RESPONSE_NOT_FOUND */
  item(id: string, caller: string | undefined): OutputItem {
    const response = this.#responseOfItem.get(id);
    const isOwn = response !== undefined && this.#entries.get(response)?.caller === caller;
    const item = isOwn ? this.get(response, caller).body.output?.find((one) => one.id === id) : undefined;
    if (item !== undefined) return item;
    throw new AloftError(
      'RESPONSE_NOT_FOUND',
      `There is no item '${id.slice(0, 100)}': its response was not stored, or has been dropped for newer ones; send the item itself.`,
    );
  }

  /** @throws {AloftError} RESPONSE_NOT_FOUND */
  delete(id: string, caller: string | undefined): void {
    this.get(id, caller);
    this.#drop(id);
  }

  #drop(id: string): void {
    const entry = this.#entries.get(id);
    this.#characterCount -= entry?.characterCount ?? 0;
    for (const item of entry?.body.output ?? []) this.#responseOfItem.delete(item.id);
    this.#entries.delete(id);
  }
}
