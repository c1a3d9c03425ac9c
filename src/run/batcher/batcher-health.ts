import type { ErrorReport } from '../../core/errors.js';

/** What health checks look at. */
export interface BatcherHealth {
  readonly state: 'running' | 'failed' | 'closed';
  /** When the loop last got on, on the batcher's clock; now, while there is nothing to do. */
  readonly heartbeatMs: number;
  /** Why the state is `failed`. */
  readonly failure: ErrorReport | undefined;
}
