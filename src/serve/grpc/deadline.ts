import type { Deadline } from '@grpc/grpc-js';

/** Milliseconds until a call's deadline; undefined when it has none. */
export function remainingMs(deadline: Deadline): number | undefined {
  const atMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(atMs) ? Math.max(0, atMs - Date.now()) : undefined;
}
