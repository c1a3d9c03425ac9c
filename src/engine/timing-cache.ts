/** `model.cache`: which kernel configuration won for which problem on which device. A rebuild on the same device reuses it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { Log } from '../core/log.js';
import { sortedJson } from './manifest.js';

const TimingCacheSchema = Type.Object({
  format: Type.Literal('aloft-timing-cache'),
  version: Type.Literal(1),
  /** Full device name; measurements of another device say nothing. */
  device: Type.String(),
  /** Problem key -> configuration key and its time. The tuner of the device defines both keys. */
  entries: Type.Record(Type.String(), Type.Object({ config: Type.String(), microseconds: Type.Number() })),
});

export type TimingCache = Static<typeof TimingCacheSchema>;

export function emptyTimingCache(device: string): TimingCache {
  return { format: 'aloft-timing-cache', version: 1, device, entries: {} };
}

/** The cache at `path`, or undefined when there is none, it is malformed, or it is of another device. */
export function readTimingCache(path: string, device: string): TimingCache | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const cache: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Value.Check(TimingCacheSchema, cache) && cache.device === device ? cache : undefined;
  } catch {
    return undefined;
  }
}

/** The timing cache at `path` if it can serve `device`, else an empty one, with TensorRT-LLM's warning when a path was given. */
export function startingTimingCache(device: string, path: string | null, log: Log): TimingCache {
  const cache = path === null ? undefined : readTimingCache(path, device);
  if (path !== null && cache === undefined)
    log.warning(
      `Invalid timing cache, using freshly created one: ${path} is missing, malformed or of another device than ${device}.`,
    );
  return cache ?? emptyTimingCache(device);
}

export function writeTimingCache(path: string, cache: TimingCache): void {
  writeFileSync(path, sortedJson(cache));
}
