/** Flags of a build that save memory, tried until every sequence fits. */
import type { GivenFlags } from '../../builder/flag-reader.js';
import { fittingSequences, type MemoryView } from './memory-view.js';

/** Flags by name, with their values. */
type Changes = readonly (readonly [name: string, value: string | true])[];

const CACHE: Changes = [['kv_cache_dtype', 'int8']];
const WEIGHTS: Changes = [['use_weight_only', true]];

/**
 * The first change that makes every sequence of the engine fit at its full length, by what it costs: a smaller cache, smaller
 * weights, both, and then fewer sequences.
 * @param view of the engine as the given flags would build it
 * @param plan computes the view of other flags
 * @returns flags as they are typed; undefined when none of these helps
 */
export async function savingFlags(
  view: MemoryView,
  given: GivenFlags,
  plan: (flags: GivenFlags) => Promise<MemoryView>,
): Promise<string | undefined> {
  for (const changes of [CACHE, WEIGHTS, [...CACHE, ...WEIGHTS]]) {
    if (changes.some(([name, value]) => given.get(name) === value)) continue;
    const changed = await plan(new Map([...given, ...changes]));
    if (fittingSequences(changed) >= changed.maxRows) return textOf(changes);
  }
  const fitting = fittingSequences(view);
  return fitting > 0 ? textOf([['max_batch_size', String(fitting)]]) : undefined;
}

function textOf(changes: Changes): string {
  return changes.map(([name, value]) => (value === true ? `--${name}` : `--${name} ${value}`)).join(' ');
}
