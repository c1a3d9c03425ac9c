import { describe, expect, test } from 'vitest';
import { MODEL_CASES } from '../../../dist/test/cuda/model-cases.js';
import { memcheck, racecheck } from './sanitizers.mjs';

const CASES = MODEL_CASES.length;

const DEVICES = 'cuda:0  NVIDIA H200  sm_90a        132              139.8 GiB  yes';
const summary = (count) =>
  `========= RACECHECK SUMMARY: ${count} hazards displayed (${count} errors, 0 warnings)`;
const race = (
  write,
  read,
) => `========= Error: Race reported between Write access at ${write}(int)+0x10 in a.cu:1
=========     and Read access at ${read}(int)+0x20 in a.cu:2 [100 hazards]
=========`;
const EVIDENCE = `${race('write_other', 'read_own')}\n${summary(1)}`;
const EXCHANGE = `pass int8 (5.9 s)\n${race('cluster_store', 'load_shared16')}\n${summary(1)}`;

/** A machine whose programs print these texts. */
function machine({ mbarrier = EVIDENCE, clusterBarrier = summary(0), kernels = EXCHANGE, ...rest }) {
  const { devices = DEVICES, nvcc = 'nvcc', values = 'all right' } = rest;
  return {
    app: '/app',
    libraryFlags: [],
    find: () => nvcc ?? undefined,
    work: (name) => `/some/folder/${name}`,
    aloft: async () => devices,
    async runLine(line) {
      if (line[0] === nvcc) return '';
      if (line.includes('--shard')) return kernels;
      if (!line.includes('compute-sanitizer')) return values;
      return line.at(-1) === 'mbarrier' ? mbarrier : clusterBarrier;
    },
  };
}

describe('racecheck', () => {
  test('excuses the exchange where the tool reports the same accesses in the evidence', async () => {
    const { ok, text, data } = await racecheck(machine({}));
    expect(text.split('\n')).toEqual([
      'remote mbarriers, all right; 1 reports with 100 hazards (mbarrier), all right; 0 reports with 0 hazards (cluster-barrier)',
      `exchange over a cluster (cluster_store, load_shared16): ${CASES} reports with ${CASES * 100} hazards excused`,
      `${CASES} cases, 0 reports in kernels of cuBLASLt, none in ours`,
    ]);
    expect([ok, data]).toEqual([
      true,
      {
        evidence: [
          { name: 'mbarrier', values: 'all right', reports: 1, hazards: 100 },
          { name: 'cluster-barrier', values: 'all right', reports: 0, hazards: 0 },
        ],
        exchange: { reports: CASES, hazards: CASES * 100 },
        foreignCount: 0,
      },
    ]);
  });

  test.each([
    [
      'follows remote mbarriers',
      { mbarrier: summary(0) },
      new RegExp(`^${CASES} x Error: Write in cluster_store`, 'm'),
    ],
    ['reports the other variant, too', { clusterBarrier: EVIDENCE }, /barrier.cluster orders it/],
    [
      'reports something else of the evidence',
      { mbarrier: `${race('a', 'b')}\n${summary(1)}` },
      /Write in a/,
    ],
    ['has no nvcc', { nvcc: null }, /nvcc, which compiles it, is not there/],
    [
      'is on a GPU without such kernels',
      { devices: 'cuda:0  A100  sm_80  108  80 GiB  yes' },
      /cluster_store/,
    ],
    ['reports another race', { kernels: `${race('a', 'b')}\n${summary(1)}` }, /Write in a\(int\) \(a.cu:1\)/],
  ])('fails where the tool %s', async (_, outputs, fault) => {
    const { ok, text } = await racecheck(machine(outputs));
    expect([ok, text]).toEqual([false, expect.stringMatching(fault)]);
  });

  test('runs on a GPU without clusters', async () => {
    const outputs = { devices: 'cuda:0  A100  sm_80  108  80 GiB  yes', kernels: summary(0) };
    expect(await racecheck(machine(outputs))).toMatchObject({ ok: true, data: { evidence: [] } });
  });
});

test('memcheck excuses nothing', async () => {
  const invalid = '========= Invalid __global__ read of size 4 bytes\n========= ERROR SUMMARY: 1 error';
  expect((await memcheck(machine({ kernels: '========= ERROR SUMMARY: 0 errors' }))).ok).toBe(true);
  expect(await memcheck(machine({ kernels: invalid }))).toMatchObject({
    ok: false,
    text: expect.stringContaining('Invalid __global__ read'),
  });
});
