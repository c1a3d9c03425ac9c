import type { Log } from '../core/log.js';
import { emptyTimingCache, readTimingCache, type TimingCache } from '../engine/timing-cache.js';

/** The timing cache at `path` if it can serve `device`, else an empty one, with TensorRT-LLM's warning when a path was given. */
export function startingTimingCache(device: string, path: string | null, log: Log): TimingCache {
  const cache = path === null ? undefined : readTimingCache(path, device);
  if (path !== null && cache === undefined)
    log.warning(
      `Invalid timing cache, using freshly created one: ${path} is missing, malformed or of another device than ${device}.`,
    );
  return cache ?? emptyTimingCache(device);
}
