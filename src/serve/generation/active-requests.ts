/** The requests of one engine that are not finished: for stopping by id, admission, draining and the live view. */
import { AloftError } from '../../core/errors.js';

/** Place of a request in the queue. */
export interface QueuePlace {
  /** Its priority in the model's configuration; 0 without levels. */
  readonly level: number;
  /** Requests of this level that may wait; undefined: as many as of all. */
  readonly maxWaitingCount: number | undefined;
}

export interface ActiveRequest {
  readonly id: string;
  readonly level: number;
  readonly startedMs: number;
  /** 0 until the engine has reported it. */
  promptTokenCount: number;
  outputTokenCount: number;
  maxOutputTokenCount: number | undefined;
  firstTokenMs: number | undefined;
  /** Ends the request; its answer then ends normally with what it has. */
  readonly stop: () => void;
  /** Ends the request on the server's own account; its answer then ends with this error. */
  readonly fail: (error: AloftError) => void;
}

export class ActiveRequests {
  readonly #byKey = new Map<symbol, ActiveRequest>();
  readonly #byId = new Map<string, ActiveRequest>();
  #idle: (() => void)[] = [];

  get count(): number {
    return this.#byKey.size;
  }

  /** Requests of a level without a token yet: they wait, or their prompts are being computed. */
  waitingCount(level: number): number {
    let count = 0;
    for (const request of this.#byKey.values())
      if (request.level === level && request.firstTokenMs === undefined) count++;
    return count;
  }

  values(): Iterable<ActiveRequest> {
    return this.#byKey.values();
  }

  /**
   * @param isNamed The client chose the id, which must then be unique among running requests.
   * @returns a function that takes the request out again.
   * @throws {AloftError} REQUEST_INVALID
   */
  add(request: ActiveRequest, isNamed: boolean): () => void {
    if (isNamed && this.#byId.has(request.id)) {
      throw new AloftError(
        'REQUEST_INVALID',
        `requestId ${request.id} is already in progress, request is ignored.`,
      );
    }
    const key = Symbol(request.id);
    this.#byKey.set(key, request);
    if (isNamed) this.#byId.set(request.id, request);
    return () => {
      this.#byKey.delete(key);
      if (isNamed) this.#byId.delete(request.id);
      if (this.#byKey.size > 0) return;
      for (const resolve of this.#idle) resolve();
      this.#idle = [];
    };
  }

  /** @throws {AloftError} REQUEST_INVALID when no request of that id runs. */
  stop(id: string): void {
    if (id === '')
      throw new AloftError('REQUEST_INVALID', 'Cannot send stop request without specifying a request_id');
    const request = this.#byId.get(id);
    if (request !== undefined) return request.stop();
    throw new AloftError(
      'REQUEST_INVALID',
      `Received stop request for requestId ${id} but it's not active (might be completed already).`,
    );
  }

  /** Resolves when no request is left. */
  async whenIdle(): Promise<void> {
    if (this.#byKey.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
