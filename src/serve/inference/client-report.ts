/** Divides an error into the part that a client may see and the part that only the log gets. */
import { AloftError, reportError, type ErrorReport } from '../../core/errors.js';
import type { Log } from '../../core/log.js';

/** A fault of our own goes to the log with its stack; the client gets one sentence. */
export function clientReport(thrown: unknown, log: Log): ErrorReport {
  if (thrown instanceof AloftError && thrown.code !== 'INTERNAL') return reportError(thrown);
  log.error(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    code: 'INTERNAL',
    message: `Internal error: ${message}. Please report this with the server's log.`,
  };
}
