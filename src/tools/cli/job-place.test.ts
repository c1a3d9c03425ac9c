import { expect, test } from 'vitest';
import { jobPlace } from './job-place.js';

const JOB = { PMIX_NAMESPACE: '272039937', OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '4' };

test("a process of a job knows its place by Open MPI's variables", () => {
  expect(jobPlace({ ...JOB, OMPI_COMM_WORLD_LOCAL_SIZE: '4' })).toEqual({
    job: '272039937',
    rank: 1,
    worldSize: 4,
    version: expect.any(String) as string,
  });
});

test('a process without a launcher, or alone, has none', () => {
  expect([jobPlace({}), jobPlace({ ...JOB, OMPI_COMM_WORLD_SIZE: '1' })]).toEqual([undefined, undefined]);
});

test('ranks on several hosts are refused', () => {
  expect(() => jobPlace({ ...JOB, OMPI_COMM_WORLD_LOCAL_SIZE: '2' })).toThrowError(
    /4 ranks, 2 of them on this host/,
  );
});
