/** Number of KV blocks that groups will want, which admission compares with the available ones. Pure arithmetic. */
import type { KvCache, PrefixMatch } from '../kv/kv-cache.js';
import type { SchedulerPolicy } from '../../core/engine-options.js';
import type { Sequence, SequenceGroup } from './sequence.js';

/**
 * Number of tokens of a sequence that admission reckons with: under `guaranteed_no_evict` the longest that it can become
 * (without its last token, which is never run), under `max_utilization` those of today and one more block.
 */
function horizonTokens(sequence: Sequence, policy: SchedulerPolicy, blockTokens: number): number {
  const longest = sequence.maxTokens - 1;
  if (policy === 'guaranteed_no_evict') return longest;
  return Math.min(sequence.targetCount + blockTokens, longest);
}

/** Blocks that a running group may still take up to its horizon. */
export function blocksAhead(group: SequenceGroup, kv: KvCache, policy: SchedulerPolicy): number {
  return blocksToHorizon(group, kv, policy, (sequence) => kv.tables.count(sequence.slot));
}

/** Available blocks that a waiting group needs to start and reach its horizon. */
export function blocksToStart(
  group: SequenceGroup,
  kv: KvCache,
  policy: SchedulerPolicy,
  match: PrefixMatch,
): number {
  const { image } = group;
  if (image !== undefined) {
    const ahead = blocksToHorizon(group, kv, policy, (sequence) => image.tables[sequence.index]!.length);
    return image.hostBlocks.length + ahead;
  }
  return match.costBlocks + blocksToHorizon(group, kv, policy, () => match.entries.length);
}

function blocksToHorizon(
  group: SequenceGroup,
  kv: KvCache,
  policy: SchedulerPolicy,
  heldBlocks: (sequence: Sequence) => number,
): number {
  const sharedCount = Math.floor(group.commonCount / kv.blockTokens);
  const { leader } = group;
  let blocks = 0;
  for (const sequence of group.sequences) {
    if (sequence.isFinished) continue;
    const held = group.isForked || sequence === leader ? heldBlocks(sequence) : sharedCount;
    blocks += Math.max(0, kv.blocksFor(horizonTokens(sequence, policy, kv.blockTokens)) - held);
  }
  return blocks;
}
