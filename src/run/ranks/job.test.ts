import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { followJob, gatherRanks } from './job.js';

const PLACE = { job: `test-${process.pid}`, worldSize: 3, localRank: 1, localSize: 3, version: '1' };

test('a job without rank 0 is reported by one of the others', async () => {
  await expect(followJob({ ...PLACE, rank: 1 }, 10)).rejects.toMatchObject({
    code: 'RANK_LATE',
    message: expect.stringMatching(/^Rank 0 of the job of 3 ranks did not come within 0\.01 s;/) as string,
  });
  expect(await followJob({ ...PLACE, rank: 2 }, 10)).toBe(false);
});

test.each([
  [{ version: '2' }, /^Rank 1 is one of 3 and runs Aloft 2, rank 0 is one of 3 and runs 1;/],
  [{ worldSize: 4 }, /^Rank 1 is one of 4 and runs Aloft 1, rank 0 is one of 3/],
])('a rank that greets with %o does not belong to the job', async (change, message) => {
  const gathered = gatherRanks({ ...PLACE, rank: 0 });
  const socket = connect(`\0aloft-${process.getuid?.() ?? 0}-${PLACE.job}-engine`);
  socket.write(`${JSON.stringify({ ...PLACE, rank: 1, pid: 1, ...change })}\n`);
  await expect(gathered).rejects.toMatchObject({
    code: 'RANK_DIVERGED',
    message: expect.stringMatching(message) as string,
  });
  socket.destroy();
});
