/** Receiver of an answer while it is made. */
import type { AloftError } from '../../core/errors.js';

export interface Reader<Part> {
  /**
   * Takes what is ready. What it throws ends the request.
   * @returns a promise when it can take no more for now. What comes meanwhile waits, and a rejection ends the request.
   */
  take(part: Part): Promise<void> | undefined;
  /** Called once, last. `undefined`: the answer is complete. Does not throw. */
  end(failure: AloftError | undefined): void;
}
