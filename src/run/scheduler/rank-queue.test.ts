import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RequestId } from '../../core/ids.js';
import { RankQueue } from './rank-queue.js';
import { SequenceGroup } from './sequence.js';

function group(rankMs: number, arrival: number): SequenceGroup {
  const made = new SequenceGroup({
    id: `${arrival}` as RequestId,
    promptTokenIds: Int32Array.of(1),
    maxOutputTokens: 1,
    width: 1,
    isBeamSearch: false,
    scoresPrompt: false,
    cacheSalt: undefined,
    priority: 0,
    submittedMs: 0,
    startBeforeMs: Infinity,
    endBeforeMs: Infinity,
  });
  return Object.assign(made, { rankMs, arrival });
}

test('is always in order of rank, then of arrival', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5)), fc.array(fc.nat(20)), (ranks, removals) => {
      const groups = ranks.map(group);
      const queue = new RankQueue();
      for (const member of groups) queue.add(member);
      const left = groups.toSorted((a, b) => a.rankMs - b.rankMs || a.arrival - b.arrival);
      for (const removal of removals.filter((index) => index < left.length)) {
        const [gone] = left.splice(removal, 1);
        if (gone !== undefined) queue.remove(gone);
      }
      expect([...queue]).toEqual(left);
      expect([queue.first, queue.last]).toEqual([left[0], left.at(-1)]);
    }),
  );
});
