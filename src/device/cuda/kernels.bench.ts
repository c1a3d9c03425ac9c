/**
 * Host time of a kernel launch up to the driver: its arguments by name, and their bytes as the kernel reads them.
 * `node dist/device/cuda/kernels.bench.js`; needs no GPU.
 */
import { addLaunch } from '../../ops/add/cuda.js';
import type { KernelLaunch } from '../../ops/cuda/launch.js';
import { prefillLaunch } from '../../ops/paged-attention/cuda.js';
import { decodeKernelsFor, decodeLaunch } from '../../ops/paged-attention/cuda-decode.js';
import { rmsNormLaunch } from '../../ops/rms-norm/cuda.js';
import { swigluLaunch } from '../../ops/swiglu/cuda.js';
import type { CudaDriver } from './driver.js';
import { createKernels } from './kernels.js';
import type { Stream } from './stream.js';

const ROUNDS = 50;
const CALLS = 5000;
const AT = 0x7f1234567000;
const map = new Uint8Array(128);
const operands = {
  qkv: AT,
  cache: AT,
  out: AT,
  cosTable: AT,
  sinTable: AT,
  rowOffsets: AT,
  contextLengths: AT,
  blockTables: AT,
  decodeItems: AT,
  itemCount: AT,
  prefillTiles: AT,
  keyTiles: AT,
  firstKeyTiles: AT,
  expanded: AT,
  partials: AT,
  arrivals: AT,
  maps: { qkv: map, cache: map, expanded: map },
  layerOffsetBytes: 4096,
};
const problem = {
  headCount: 32,
  kvHeadCount: 32,
  headDim: 128,
  blockTokens: 16,
  blockStride: 2 ** 23,
  headBlockBytes: 8192,
  isQuantised: false,
  maxBlocks: 256,
  window: 0,
  decodeItems: 64,
  prefillTiles: 16,
  keyTiles: 0,
};
const target = { computeCapability: 90, multiprocessorCount: 132 };
const dims = {
  ...{ layerCount: 32, hidden: 4096, intermediate: 11_008, vocabulary: 32_000, maxPositions: 4096 },
  ...{ headCount: 32, kvHeadCount: 32, headDim: 128 },
};
const decode = decodeKernelsFor({ kvDtype: 'f16', dims }, target.computeCapability, problem.blockTokens);
const prefill = { name: 'attention_prefill_wgmma', queryTile: 128, expands: false } as const;
const launches: Readonly<Record<string, () => KernelLaunch>> = {
  add: () => addLaunch(4096, AT, AT),
  swiglu: () => swigluLaunch(8, 11008, AT, AT),
  add_rms_norm: () => rmsNormLaunch(8, 1e-5, { x: AT, delta: AT, weight: AT, out: AT }),
  attention_decode_ring: () => decodeLaunch(decode, problem.decodeItems, problem, target, operands),
  attention_prefill_wgmma: () => prefillLaunch(prefill, problem, target, operands),
};

const driver = {
  raw: () => () => 0,
  call: () => {},
  out64: () => 1,
  out32: () => 0,
} as unknown as CudaDriver;
const stream = { handle: 1 } as Stream;
const kernels = createKernels(driver, target.computeCapability);
for (const unit of ['common', 'attention']) kernels.load(unit, new Uint8Array(8));
const nanoseconds = (launch: () => KernelLaunch): number => {
  const startMs = performance.now();
  for (let call = 0; call < CALLS; call++) kernels.launch(stream, launch(), true);
  return ((performance.now() - startMs) * 1e6) / CALLS;
};
// Rounds of all launches in turn, as a step has them; the least of each, because the machine's other work only ever adds.
const best = new Map<string, number>();
for (let round = 0; round < ROUNDS; round++)
  for (const [name, launch] of Object.entries(launches))
    best.set(name, Math.min(best.get(name) ?? Infinity, nanoseconds(launch)));
for (const [name, ns] of best) console.log(`${name.padEnd(28)}${ns.toFixed(0).padStart(6)} ns`);
