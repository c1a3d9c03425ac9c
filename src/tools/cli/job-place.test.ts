import { describe, expect, test } from 'vitest';
import { jobPlace } from './job-place.js';

const OPEN_MPI = {
  PMIX_NAMESPACE: '272039937',
  OMPI_COMM_WORLD_RANK: '1',
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_LOCAL_SIZE: '4',
};
const TORCHRUN = {
  RANK: '1',
  WORLD_SIZE: '4',
  LOCAL_WORLD_SIZE: '4',
  MASTER_ADDR: '127.0.0.1',
  MASTER_PORT: '29500',
};
const SRUN = {
  SLURM_PROCID: '1',
  SLURM_STEP_NUM_TASKS: '4',
  SLURM_STEP_NUM_NODES: '1',
  SLURM_JOB_ID: '77',
  SLURM_STEP_ID: '3',
};

describe.each([
  ['Open MPI', OPEN_MPI, 'mpirun-272039937'],
  ['torchrun', TORCHRUN, 'torchrun-127.0.0.1-29500'],
  ['srun', SRUN, 'srun-77-3'],
])('under %s', (_, variables, job) => {
  test('a process knows its place', () => {
    const version = expect.any(String) as string;
    const local = { localRank: 1, localSize: 4 };
    expect(jobPlace(variables)).toEqual({ job, rank: 1, worldSize: 4, ...local, version });
  });

  test('a process that is alone has none', () => {
    const alone = Object.entries(variables).map(([name, value]) => [name, value === '4' ? '1' : value]);
    expect(jobPlace(Object.fromEntries(alone))).toBeUndefined();
  });
});

test('a process of one of several hosts knows its place there', () => {
  const variables = { ...OPEN_MPI, OMPI_COMM_WORLD_LOCAL_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: '0' };
  expect(jobPlace(variables)).toMatchObject({ rank: 1, worldSize: 4, localRank: 0, localSize: 2 });
});

test('a process without a launcher has none, even with some of its variables', () => {
  const { MASTER_PORT: _, ...some } = TORCHRUN;
  const { SLURM_STEP_ID: __, ...batchScript } = SRUN;
  expect([{}, some, batchScript].map(jobPlace)).toEqual([undefined, undefined, undefined]);
});

test('mpirun under Slurm means its own ranks', () => {
  expect(jobPlace({ ...SRUN, ...OPEN_MPI, OMPI_COMM_WORLD_RANK: '2' })).toMatchObject({ rank: 2 });
});

test.each([
  [
    { ...OPEN_MPI, OMPI_COMM_WORLD_LOCAL_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: 'x' },
    'USAGE',
    /LOCAL_RANK to 'x', and a whole number/,
  ],
  [{ ...TORCHRUN, LOCAL_WORLD_SIZE: '2' }, 'UNSUPPORTED', /^torchrun started 4 ranks on several hosts/],
  [{ ...SRUN, SLURM_STEP_NUM_NODES: '2' }, 'UNSUPPORTED', /^srun started 4 ranks on several hosts/],
  [{ ...TORCHRUN, RANK: '4' }, 'USAGE', /RANK to 4 and WORLD_SIZE to 4/],
  [{ ...TORCHRUN, RANK: 'first' }, 'USAGE', /RANK to 'first', and a whole number/],
  [{ ...TORCHRUN, RANK: undefined }, 'USAGE', /RANK to nothing/],
])('%o is refused', (variables, code, message) => {
  expect(() => jobPlace(variables)).toThrowError(expect.objectContaining({ code }) as Error);
  expect(() => jobPlace(variables)).toThrowError(message);
});
