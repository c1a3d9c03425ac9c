import { AloftError } from '../../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import { addressOf } from '../../../ffi/memory.js';
import { openCublasLt } from '../../../device/cuda/cublaslt.js';
import type { Gpu, PinnedArea } from '../../../device/cuda/gpu.js';
import { createKernels } from '../../../device/cuda/kernels.js';
import { createEvent, createStream, type CudaEvent, type Graph } from '../../../device/cuda/stream.js';
import { linearChooser, type LinearChooser } from '../../../ops/linear/cuda-tuning.js';
import { QUERY_TILE, splitTokensFor } from '../../../ops/paged-attention/cuda.js';
import { encodeSampleSlot, SAMPLE_SLOT_BYTES } from '../../../ops/sample/cuda.js';
import { topCountOf } from '../../../ops/sample/contract.js';
import { inferPlan } from '../../../plan/infer.js';
import type { Plan } from '../../../plan/plan.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor.js';
import { kvBytesPerToken } from '../memory-plan.js';
import { allocateMemory, KV_DTYPE, MATMUL_WORKSPACE_BYTES } from './device-memory.js';
import { emitStep, type LaunchSink, type Program, type StepShape } from './program.js';
import {
  countAttentionWork,
  descriptorLayout,
  fillDescriptor,
  type DescriptorCapacity,
  type DescriptorLayout,
} from './step-descriptor.js';

/** The vocabulary follows from the plan; blockCount from the memory that is left. */
export type CudaExecutorLimits = Omit<ExecutorLimits, 'vocabulary'>;

export interface CudaExecutorOptions {
  readonly plan: Plan;
  /** The executor takes it over and disposes it. */
  readonly gpu: Gpu;
  /** Machine code by unit. */
  readonly units: ReadonlyMap<string, Uint8Array>;
  /** How linear layers run; the units hold the kernels that it chooses. Default: the built-in choice for this GPU. */
  readonly chooseLinear?: (libraryVersion: number) => LinearChooser;
  /** Device address of a packed tensor of the engine. */
  readonly tensorAddress: (name: string) => number;
  readonly limits: CudaExecutorLimits;
  readonly kv: {
    readonly weightBytes: number;
    /** Share of what is free after load that blocks may take. */
    readonly freeFraction: number;
    readonly maxTokens: number | undefined;
    /** Cap on weights, workspace and cache together; undefined is all of the device's memory. */
    readonly maxTotalBytes: number | undefined;
  };
  readonly cudaLibraryPath: string | undefined;
  /** Launches decode steps as captured graphs. Default true; off for debugging and sanitizers. */
  readonly useGraphs?: boolean;
}

/** Steps that may be on the device or waiting for `collect`. One more than the contract's two, for a step being filled. */
const IN_FLIGHT = 3;
/** Largest decode batch that is captured. */
const MAX_GRAPH_ROWS = 512;

interface Flight {
  readonly staging: PinnedArea;
  readonly words: Int32Array;
  readonly results: PinnedArea;
  readonly start: CudaEvent;
  readonly end: CudaEvent;
}

interface Pending {
  readonly flight: Flight;
  readonly step: StepInput;
  readonly topCount: number;
  readonly logits: Float32Array | undefined;
}

/** Rows of a captured decode step: 1, 2, 4, 8, then steps of 8, 16 and 32. */
export function graphRows(rows: number): number {
  if (rows <= 8) return 2 ** Math.ceil(Math.log2(rows));
  const step = rows <= 64 ? 8 : rows <= 256 ? 16 : 32;
  return Math.ceil(rows / step) * step;
}

/** Runs a plan on one GPU. @throws AloftError OUT_OF_MEMORY, UNSUPPORTED, DEVICE_UNAVAILABLE */
export function openCudaExecutor(options: CudaExecutorOptions): Executor {
  const { plan, gpu, units, cudaLibraryPath, useGraphs = true } = options;
  refuseUnsupported(plan, options.limits);
  const inferred = inferPlan(plan);
  const { driver, properties } = gpu;
  const kernels = createKernels(driver, properties.computeCapability);
  for (const [name, image] of units) kernels.load(name, image);
  const memory = allocateMemory(options, inferred);
  const { limits } = memory;
  const stream = createStream(driver);
  const matmuls = openCublasLt(
    { address: memory.matmulWorkspace, byteLength: MATMUL_WORKSPACE_BYTES },
    cudaLibraryPath,
  );
  const sink: LaunchSink = {
    kernel: (launch) => kernels.launch(stream, launch, true),
    matmul: (shape, pointers, algorithm) => matmuls.matmul(stream, shape, pointers, algorithm),
  };
  const program: Program = {
    plan,
    inferred,
    device: properties,
    chooseLinear: options.chooseLinear?.(matmuls.version) ?? linearChooser(properties),
    maxSequenceTokens: limits.maxSequenceTokens,
    blockTokens: limits.blockTokens,
  };
  const { headCount, kvHeadCount, vocabulary } = plan.dims;
  const split = {
    splitTokens: splitTokensFor(properties, headCount / kvHeadCount, limits.blockTokens),
    queryTile: QUERY_TILE,
  };
  const maxBlocks = Math.ceil(limits.maxSequenceTokens / limits.blockTokens);
  const flights = Array.from({ length: IN_FLIGHT }, () => createFlight(gpu, memory));
  const hostBlocks =
    limits.hostBlockCount > 0 ? gpu.allocatePinned(limits.hostBlockCount * memory.blockBytes) : undefined;
  const slotTops = new Int32Array(limits.maxRows).fill(-1);
  const slotPromptTops = new Int32Array(limits.maxRows).fill(-1);
  const graphs = new Map<string, { readonly graph: Graph; readonly layout: DescriptorLayout }>();
  const pending: Pending[] = [];
  let submitted = 0;

  const shapeOf = (layout: DescriptorLayout, topCount: number): StepShape => ({
    tokens: layout.capacity.tokens,
    logits: layout.capacity.logits,
    decodeItems: layout.capacity.decodeItems,
    prefillTiles: layout.capacity.prefillTiles,
    maxBlocks,
    topCount,
    descriptor: (field) => memory.descriptor + 4 * layout.offsets[field],
  });

  const upload = (flight: Flight, layout: DescriptorLayout, step: StepInput): void => {
    fillDescriptor(flight.words, layout, step, split);
    stream.copyToDevice(memory.descriptor, flight.staging.address, layout.length * 4);
  };

  const runGraph = (flight: Flight, step: StepInput, decodeItems: number): void => {
    const rows = Math.min(graphRows(step.rowCount), limits.maxRows);
    const items = Math.max(rows, 2 ** Math.ceil(Math.log2(decodeItems)));
    const key = `${rows}/${items}`;
    let found = graphs.get(key);
    if (found === undefined) {
      const capacity = { tokens: rows, rows, logits: rows, decodeItems: items, prefillTiles: 0, maxBlocks };
      const layout = descriptorLayout(capacity);
      const emit = (): void => emitStep(program, memory, shapeOf(layout, 0), sink);
      found = { layout, graph: stream.capture(emit) };
      graphs.set(key, found);
    }
    upload(flight, found.layout, step);
    found.graph.launch(stream);
  };

  const moveBlocks = (step: StepInput): void => {
    const block = (index: number): number => memory.kvBase + index * memory.blockBytes;
    const host = (index: number): number => hostBlocks!.address + index * memory.blockBytes;
    const { blocksToHost, blocksFromHost, blockCopies } = step;
    for (let i = 0; i < blocksToHost.length; i += 2)
      stream.copyToHost(host(blocksToHost[i + 1]!), block(blocksToHost[i]!), memory.blockBytes);
    for (let i = 0; i < blocksFromHost.length; i += 2)
      stream.copyToDevice(block(blocksFromHost[i]!), host(blocksFromHost[i + 1]!), memory.blockBytes);
    for (let i = 0; i < blockCopies.length; i += 2)
      stream.copyOnDevice(block(blockCopies[i + 1]!), block(blockCopies[i]!), memory.blockBytes);
  };

  const topCountOfStep = (step: StepInput): number => {
    let top = 0;
    for (let i = 0; i < step.logitCount; i++) {
      const slot = step.rowSlots[step.logitRows[i]!]!;
      top = Math.max(top, (step.logitTargets[i]! < 0 ? slotTops : slotPromptTops)[slot]!);
    }
    return top;
  };

  return {
    limits: { ...limits, vocabulary },
    memory: budgetOf(options, memory, hostBlocks),
    deviceName: `${properties.name}, driver for CUDA ${properties.driverCudaVersion / 1000}`,
    attachSlot(state: SlotState) {
      const { slot, sampling, promptTokenIds, outputTokenIds } = state;
      slotTops[slot] = topCountOf(sampling, false);
      slotPromptTops[slot] = topCountOf(sampling, true);
      // Copies from pageable memory take their source before they return.
      const copy = (target: number, source: ArrayBufferView): void => {
        if (source.byteLength > 0) stream.copyToDevice(target, addressOf(source), source.byteLength);
      };
      copy(memory.slots + slot * SAMPLE_SLOT_BYTES, new Uint8Array(encodeSampleSlot(state)));
      const tokens = Int32Array.from([...promptTokenIds, ...outputTokenIds]);
      copy(memory.history + slot * limits.maxSequenceTokens * 4, tokens);
      copy(memory.lastTokens + slot * 4, Int32Array.of(tokens.at(-1) ?? 0));
    },
    detachSlot(slot) {
      slotTops[slot] = -1;
      slotPromptTops[slot] = -1;
    },
    submit(step) {
      const flight = flights[submitted++ % IN_FLIGHT]!;
      const topCount = topCountOfStep(step);
      const work = countAttentionWork(step, split);
      flight.start.record(stream);
      moveBlocks(step);
      if (
        useGraphs &&
        step.rowCount > 0 &&
        work.isDecode &&
        topCount === 0 &&
        step.rowCount <= MAX_GRAPH_ROWS
      ) {
        runGraph(flight, step, work.decodeItems);
      } else if (step.tokenCount > 0) {
        const { tokenCount: tokens, rowCount: rows, logitCount: logits } = step;
        const capacity: DescriptorCapacity = { tokens, rows, logits, ...work, maxBlocks };
        const layout = descriptorLayout(capacity);
        upload(flight, layout, step);
        emitStep(program, memory, shapeOf(layout, topCount), sink);
      }
      stream.copyToHost(
        flight.results.address,
        memory.outTokens,
        topCount > 0 ? memory.outBytes : memory.outTopIds - memory.outTokens,
      );
      flight.end.record(stream);
      let logits: Float32Array | undefined;
      if (step.returnLogits) {
        logits = new Float32Array(step.logitCount * vocabulary);
        const source = memory.buffer(plan.ops.length - 1, plan.logits);
        for (let row = 0; row < step.logitCount; row++)
          stream.copyToHost(
            addressOf(logits) + row * vocabulary * 4,
            source + row * inferred.logits.columns * 4,
            vocabulary * 4,
          );
      }
      pending.push({ flight, step, topCount, logits });
    },
    async collect() {
      const next = pending.shift();
      if (next === undefined) throw new AloftError('INTERNAL', 'collect() without a submitted step');
      while (!next.flight.end.isDone()) await new Promise(setImmediate);
      return outputOf(next, memory);
    },
    async dispose() {
      stream.synchronize();
      for (const { graph } of graphs.values()) graph.dispose();
      matmuls.dispose();
      kernels.dispose();
      stream.dispose();
      gpu.dispose();
    },
  };
}

function createFlight(gpu: Gpu, memory: { descriptorBytes: number; outBytes: number }): Flight {
  const staging = gpu.allocatePinned(memory.descriptorBytes);
  return {
    staging,
    words: new Int32Array(staging.buffer),
    results: gpu.allocatePinned(memory.outBytes),
    start: createEvent(gpu.driver),
    end: createEvent(gpu.driver),
  };
}

function outputOf(
  { flight, step, topCount, logits }: Pending,
  memory: {
    readonly outTokens: number;
    readonly outLogprobs: number;
    readonly outTopIds: number;
    readonly outTopLogprobs: number;
  },
): StepOutput {
  const at = (address: number): number => address - memory.outTokens;
  const { buffer } = flight.results;
  const { logitCount } = step;
  return {
    stepId: step.stepId,
    logitCount,
    tokenIds: new Int32Array(buffer, 0, logitCount).slice(),
    logprobs: new Float32Array(buffer, at(memory.outLogprobs), logitCount).slice(),
    topCount,
    topTokenIds: new Int32Array(buffer, at(memory.outTopIds), logitCount * topCount).slice(),
    topLogprobs: new Float32Array(buffer, at(memory.outTopLogprobs), logitCount * topCount).slice(),
    logits,
    deviceMs: flight.end.msSince(flight.start),
  };
}

function budgetOf(
  { plan, gpu, kv, limits }: CudaExecutorOptions,
  memory: {
    readonly limits: CudaExecutorLimits;
    readonly blockBytes: number;
    readonly workspaceBytes: number;
  },
  hostBlocks: PinnedArea | undefined,
): MemoryBudget {
  return {
    totalBytes: gpu.properties.totalBytes,
    weightBytes: kv.weightBytes,
    workspaceBytes: memory.workspaceBytes,
    kvBytes: memory.limits.blockCount * memory.blockBytes,
    kvBytesPerToken: kvBytesPerToken(plan.dims, KV_DTYPE),
    hostKvBytes: hostBlocks === undefined ? 0 : limits.hostBlockCount * memory.blockBytes,
  };
}

/** @throws AloftError UNSUPPORTED naming what the CUDA kernels cannot do */
function refuseUnsupported(plan: Plan, limits: CudaExecutorLimits): void {
  const { headDim, hidden, intermediate, vocabulary } = plan.dims;
  const fail = (why: string): never => {
    throw new AloftError('UNSUPPORTED', `The CUDA device cannot run this model: ${why}.`);
  };
  if (plan.activationDtype === 'f32') fail('it computes in 16 bits; build with --dtype float16 or bfloat16');
  if (headDim % 16 !== 0 || headDim > 256) fail(`head size ${headDim} is not a multiple of 16 up to 256`);
  for (const size of [hidden, intermediate])
    if (size % 8 !== 0) fail(`layer size ${size} is not a multiple of 8`);
  const ropes = plan.ops.flatMap((op) => (op.kind === 'ropeAppend' ? [op.rope] : []));
  if (ropes.some(({ scaling }) => scaling.type === 'dynamic'))
    fail("its rotary scaling 'dynamic' depends on each prompt's length");
  if (plan.worldSize > 1) fail('this build has no collectives for several GPUs');
  if (vocabulary < 1 || limits.blockTokens < 1) fail('limits are empty');
}
