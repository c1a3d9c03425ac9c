/** Results of each measurement, as small as they can be. */
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { MachineRecord } from '../../bench/machine.js';
import type { InflightResult } from '../../bench/inflight-report.js';
import { inflightReport, outputTokenTimes, type RequestRecord } from '../../bench/latency-report.js';
import type { Sweep, SweepPoint, SweepWorkload } from '../../bench/serve/sweep-report.js';
import type { StaticResult, StaticWorkload } from '../../bench/static-report.js';
import type { ProfileResult } from '../../profile/profile-report.js';
import { histogramOf } from '../histogram.js';

const MACHINE: MachineRecord = {
  cpu: 'Test CPU',
  coreCount: 2,
  gpu: null,
  memoryBytes: 8 * 2 ** 30,
  node: 'v20.19.0',
  commit: 'abc1234',
  command: ['aloft', 'bench'],
  date: '2026-01-02T03:04:05.000Z',
};

/** A result as it is read from the file that it was written to. @throws {Error} when it does not have the schema */
export function throughJson<T extends TSchema>(schema: T, result: unknown): Static<T> {
  return Value.Parse(schema, JSON.parse(JSON.stringify(result)));
}

/** Four requests whose tokens come one by one, or several in each message. */
export function records(gapMs: number, tokensOfMessage = 1): RequestRecord[] {
  return Array.from({ length: 4 }, (_, i) => {
    const tokenMs = [0, 1, 2, 3].map((n) => 5 + i + gapMs * Math.floor(n / tokensOfMessage));
    return { inputTokens: 8, outputTokens: 4, firstTokenMs: tokenMs[0]!, tokenMs, endMs: tokenMs.at(-1)! };
  });
}

export const SWEEP_WORKLOAD: SweepWorkload = {
  api: 'grpc',
  numRequests: 4,
  warmUp: 0,
  inputLen: 'constant:8',
  outputLen: 'constant:4',
  seed: 0,
};

export function sweep(gapMs: number, partial = false): Sweep {
  const title = 'grpc at nowhere';
  const points = [sweepPoint(1, gapMs), sweepPoint(4, 2 * gapMs)];
  return { title, loadName: 'requests at a time', machine: MACHINE, points, partial };
}

function sweepPoint(load: number, gapMs: number): SweepPoint {
  return {
    load,
    report: inflightReport(records(gapMs), 100 / load),
    goodput: 7,
    errorCount: 0,
    ttft_histogram: histogramOf([5, 6, 7, 8]),
    tpot_histogram: histogramOf(outputTokenTimes(records(gapMs))),
  };
}

export function inflightResult(gapMs: number): InflightResult {
  return {
    machine: MACHINE,
    partial: false,
    workload: { ...SWEEP_WORKLOAD, requestRate: Infinity },
    report: inflightReport(records(gapMs), 100),
    ttft_histogram: histogramOf([5, 6]),
    tpot_histogram: histogramOf([gapMs]),
  };
}

export const STATIC_WORKLOAD: StaticWorkload = {
  modelName: 'm',
  precision: 'float16',
  quantisation: 'none',
  warmUp: 2,
  numRuns: 3,
  duration: 1,
};

/** Batch 1 at that rate, and batch 4, which does not fit. */
export function staticResult(tokensPerSecond: number): StaticResult {
  const row = (batch: number, rate: number | string) => ({
    batch_size: batch,
    input_length: 8,
    output_length: 4,
    tokens_per_sec: rate,
    'first_token(ms)': 3,
    'decode_step(ms)': 'none',
  });
  return { machine: MACHINE, partial: false, rows: [row(1, tokensPerSecond), row(4, 'OOM')] };
}

export const PROFILE_RESULT: ProfileResult = {
  machine: MACHINE,
  limits: 'Measured limits of this CPU: reading 20.0 GB/s.',
  engine: 'engine',
  phases: [
    {
      caseName: 'batch 1, 8 + 4 tokens',
      phase: 'decode',
      stepCount: 2,
      stepMs: 4,
      ranks: [],
      ops: [
        {
          name: 'linear mlp.proj 256x688 f16',
          kernels: new Set(['linear']),
          opCount: 12,
          ms: 3,
          cost: { bytes: 1e6, flops: 1e7 },
          limitMs: 2,
        },
        {
          name: 'rmsNorm',
          kernels: new Set(['norm']),
          opCount: 12,
          ms: 1,
          cost: { bytes: 1e4, flops: 1e4 },
          limitMs: 0.1,
        },
      ],
    },
  ],
};
