import { AloftError } from '../../core/errors.js';

/** The coded error that `action` throws. Anything else, or nothing, fails the test. */
export function faultOf(action: () => unknown): AloftError {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof AloftError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

/** The same for a promise. */
export async function rejectionOf(promise: Promise<unknown>): Promise<AloftError> {
  try {
    await promise;
  } catch (thrown) {
    if (thrown instanceof AloftError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}
