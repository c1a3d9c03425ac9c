import { expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { ResponseFollower, ResponseStatistics } from './response-statistics.js';

const NONE = { count: 0, ns: 0 };

/** Counts at an index that are not zero. */
function counted(statistics: ResponseStatistics, index: number): object {
  return Object.fromEntries(Object.entries(statistics.at(index)).filter(([, sum]) => sum.count > 0));
}

test('each response is timed from the one before to its tokens, and from there to its bytes', () => {
  const [asked, engine] = [new ResponseStatistics(), new ResponseStatistics()];
  const follower = new ResponseFollower([asked, engine], 100);
  follower.noteTokens(130);
  follower.noteWritten(1, 131);
  follower.noteTokens(150);
  follower.noteWritten(2, 154);
  expect(asked.byIndex).toHaveLength(3);
  expect(counted(asked, 0)).toEqual({
    computeInfer: { count: 1, ns: 30e6 },
    computeOutput: { count: 1, ns: 1e6 },
    success: { count: 1, ns: 31e6 },
  });
  expect(counted(asked, 1)).toMatchObject({ computeInfer: { ns: 20e6 }, computeOutput: { ns: 2e6 } });
  expect(counted(asked, 2)).toMatchObject({ computeInfer: { ns: 0 }, success: { count: 1, ns: 2e6 } });
  expect(engine).toEqual(asked);
});

test('what ends an answer is counted at the place of the response that does not come', () => {
  const statistics = new ResponseStatistics();
  const ended = (end: (follower: ResponseFollower) => void) => {
    const follower = new ResponseFollower([statistics], 0);
    follower.noteTokens(5);
    follower.noteWritten(1, 5);
    end(follower);
  };
  ended((follower) => follower.noteFailure(new AloftError('CANCELLED', 'gone'), 7));
  ended((follower) => follower.noteFailure(new AloftError('DEVICE_FAILED', 'broken'), 9));
  ended((follower) => {
    follower.noteTokens(6);
    follower.noteWritten(0, 6);
  });
  ended((follower) => follower.noteFailure(new AloftError('QUEUE_FULL', 'full'), 8));
  expect(statistics.byIndex[1]).toEqual({
    computeInfer: NONE,
    computeOutput: NONE,
    success: NONE,
    cancel: { count: 1, ns: 2e6 },
    fail: { count: 1, ns: 4e6 },
    emptyResponse: { count: 1, ns: 1e6 },
  });
});
