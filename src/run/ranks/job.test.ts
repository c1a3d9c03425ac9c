import { expect, test } from 'vitest';
import { followJob } from './job.js';

const PLACE = { job: `test-${process.pid}`, worldSize: 3, version: '1' };

test('a job without rank 0 is reported by one of the others', async () => {
  await expect(followJob({ ...PLACE, rank: 1 }, 10)).rejects.toMatchObject({
    code: 'RANK_LATE',
    message: expect.stringMatching(/^Rank 0 of the job of 3 ranks did not come within 0\.01 s;/) as string,
  });
  expect(await followJob({ ...PLACE, rank: 2 }, 10)).toBe(false);
});
