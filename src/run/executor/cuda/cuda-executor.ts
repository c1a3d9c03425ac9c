import { AloftError } from '../../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import { checkCudaPlan } from '../../../ops/cuda/check-plan.js';
import { type CompletionSignal, createCompletionSignal } from '../../../device/cuda/completion-signal.js';
import { openCublasLt, type CublasLt } from '../../../device/cuda/cublaslt.js';
import type { PinnedArea } from '../../../device/cuda/gpu.js';
import { createKernels, type Kernels } from '../../../device/cuda/kernels.js';
import { createEvent, createStream, type Stream } from '../../../device/cuda/stream.js';
import { addressOf } from '../../../ffi/memory.js';
import { MAX_TOP_COUNT } from '../../../ops/cuda/areas.js';
import { copyWordsLaunch } from '../../../ops/cuda/copy-words.js';
import { type LoweredPlan, lowerForCuda } from '../../../ops/cuda/lower.js';
import type { LaunchSink } from '../../../ops/cuda/sink.js';
import { linearChooser } from '../../../ops/linear/cuda/choose.js';
import { encodeSampleSlot, MAX_LIST_NUMBERS, SAMPLE_SLOT_BYTES } from '../../../ops/sample/cuda.js';
import type { PlanValue } from '../../../plan/infer.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor.js';
import type { PreparedRank, RankAgreement } from '../opening/prepared-rank.js';
import { resultLimits } from '../opening/sizing.js';
import { checkSlot, checkStep, MaskWait } from '../step-check.js';
import { moveBlocks } from './block-moves.js';
import { type CallTimer, createCallTimer } from './call-timer.js';
import type { CudaExecutorOptions } from './cuda-executor-options.js';
import { type CudaSlot, cudaSlotOf, noteLogits } from './cuda-slot.js';
import {
  allocateWorkspace,
  budgetOf,
  type ExecutorMemory,
  type ExecutorWorkspace,
  withCache,
} from './device-memory.js';
import { type CompleteStep, createFlight, type Flight, type PendingStep, stepOutputOf } from './flight.js';
import { exchangeLayoutOf } from './memory-sizes.js';
import { MaskUpload } from './mask-upload.js';
import { bindProgram } from './program.js';
import { GpuLink } from './gpu-link.js';
import { attentionSplit } from './step-descriptor.js';
import { StepLauncher } from './step-launcher.js';

/** Steps that may be on the device or waiting for `collect`. One more than the contract's two, for a step being filled. */
const IN_FLIGHT = 3;

/** Runs a plan on one GPU. @throws {AloftError} OUT_OF_MEMORY, UNSUPPORTED, DEVICE_UNAVAILABLE */
export function openCudaExecutor(options: CudaExecutorOptions): Executor {
  const prepared = prepareCudaExecutor(options);
  return prepared.open({ blockCount: prepared.blockCount });
}

/** Allocates all but the KV cache, whose size the ranks of an engine agree on. @throws {AloftError} as {@link openCudaExecutor} */
export function prepareCudaExecutor(options: CudaExecutorOptions): PreparedRank {
  const { plan, limits, gpu } = options;
  checkCudaPlan(plan, options.maxPromptTokens ?? limits.maxSequenceTokens);
  const lowered = lowerForCuda(plan);
  const workspace = allocateWorkspace(options, lowered);
  return {
    blockCount: workspace.blockCount,
    open: (agreement) => new CudaExecutor({ ...options, lowered, workspace, agreement }),
    dispose: () => gpu.dispose(),
  };
}

/** Options of an executor, and what was prepared and agreed on. */
interface PreparedOptions extends CudaExecutorOptions {
  readonly lowered: LoweredPlan;
  readonly workspace: ExecutorWorkspace;
  readonly agreement: RankAgreement;
}

class CudaExecutor implements Executor {
  readonly limits: ExecutorLimits;
  readonly memory: MemoryBudget;
  readonly deviceName: string;
  readonly #options: PreparedOptions;
  readonly #kernels: Kernels;
  readonly #areas: ExecutorMemory;
  readonly #stream: Stream;
  /** The end of each step. */
  readonly #signal: CompletionSignal;
  readonly #matmuls: CublasLt;
  readonly #link: GpuLink | undefined;
  readonly #timer: CallTimer | undefined;
  readonly #launcher: StepLauncher;
  readonly #masks: MaskUpload;
  readonly #logits: PlanValue;
  readonly #flights: readonly Flight[];
  readonly #hostBlocks: PinnedArea | undefined;
  readonly #slots = new Map<number, CudaSlot>();
  readonly #maskWait = new MaskWait();
  /** The last step, if it is yet to be sampled. */
  #unsampled: PendingStep | undefined;
  readonly #pending: CompleteStep[] = [];
  #submittedCount = 0;

  constructor(options: PreparedOptions) {
    const { plan, gpu, units, profile, lowered, workspace, agreement } = options;
    const { driver, properties } = gpu;
    const kernels = createKernels(driver, properties.computeCapability);
    for (const [name, image] of units) kernels.load(name, image);
    const areas = withCache(options, workspace, agreement.blockCount);
    const { limits } = areas;
    const stream = createStream(driver);
    const matmuls = openCublasLt(
      { address: areas.matmulWorkspace, byteLength: areas.matmulWorkspaceBytes },
      options.cudaLibraryPath,
    );
    const link = linkOf(options, { kernels, stream });
    const sink: LaunchSink = {
      kernel: (launch) => kernels.launch(stream, launch, true),
      matmul: (shape, pointers, algorithm) => matmuls.matmul(stream, shape, pointers, algorithm),
      ...(link && { exchange: (call) => link.exchange(call) }),
    };
    this.#options = options;
    this.#kernels = kernels;
    this.#areas = areas;
    this.#stream = stream;
    this.#signal = createCompletionSignal(driver);
    this.#matmuls = matmuls;
    this.#link = link;
    this.#timer = profile && createCallTimer(sink, stream, () => createEvent(driver));
    const program = bindProgram(lowered, {
      ...lowered,
      memory: areas,
      target: properties,
      chooseLinear: options.chooseLinear?.(matmuls.version) ?? linearChooser(properties),
      maxStepTokens: limits.maxStepTokens,
      maxSequenceTokens: limits.maxSequenceTokens,
      blockTokens: limits.blockTokens,
      ...(link && { ranks: link.connection }),
    });
    this.#logits = lowered.inferred.logits;
    this.#launcher = new StepLauncher({
      stream,
      sink,
      copy: (...copy) => this.#copyWords(...copy),
      timer: this.#timer,
      program,
      split: attentionSplit(plan, properties, limits),
      limits,
      descriptor: areas.descriptor,
      usesGraphs: (options.useGraphs ?? true) && profile === undefined,
    });
    this.#masks = new MaskUpload(driver, areas.tokenMasks, plan.dims.vocabulary);
    this.#flights = Array.from({ length: IN_FLIGHT }, () => createFlight(gpu, areas));
    const hostBytes = limits.hostBlockCount * areas.blockBytes;
    this.#hostBlocks = hostBytes > 0 ? gpu.allocatePinned(hostBytes) : undefined;
    this.limits = {
      ...limits,
      ...resultLimits(plan),
      maxTopLogprobs: MAX_TOP_COUNT,
      maxListNumbers: MAX_LIST_NUMBERS,
    };
    this.memory = budgetOf(options, areas, hostBytes);
    const name = `${properties.name}, driver for CUDA ${properties.driverCudaVersion / 1000}`;
    this.deviceName = link === undefined ? name : `${name}; ${link.summary}`;
  }

  get launch(): number {
    return this.#launcher.last;
  }

  prepareSteps(): void {
    this.#launcher.prepare();
  }

  attachSlot(state: SlotState): void {
    checkSlot(state, this.limits, this.#slots);
    this.#maskWait.attach(state.slot);
    const { slot, promptTokenIds, outputTokenIds } = state;
    const { slots, history, lastTokens } = this.#areas;
    this.#slots.set(slot, cudaSlotOf(state));
    // Copies from pageable memory take their source before they return.
    const copy = (target: number, source: ArrayBufferView): void => {
      if (source.byteLength > 0) this.#stream.copyToDevice(target, addressOf(source), source.byteLength);
    };
    copy(slots + slot * SAMPLE_SLOT_BYTES, new Uint8Array(encodeSampleSlot(state)));
    const tokens = Int32Array.from([...promptTokenIds, ...outputTokenIds]);
    copy(history + slot * this.limits.maxSequenceTokens * 4, tokens);
    copy(lastTokens + slot * 4, Int32Array.of(tokens.at(-1) ?? 0));
  }

  detachSlot(slot: number): void {
    this.#slots.delete(slot);
  }

  submit(step: StepInput): void {
    checkStep(step, this.limits, this.#slots);
    this.#maskWait.submit(step);
    this.#options.agreement.announce?.(step, step.tokenIds);
    const count = this.#submittedCount++;
    const flight = this.#flights[count % IN_FLIGHT]!;
    const before = count === 0 ? undefined : this.#flights[(count - 1) % IN_FLIGHT];
    const topCount = noteLogits(step, this.#slots);
    const pending = { flight, before, step, topCount };
    flight.start.record(this.#stream);
    moveBlocks(this.#stream, step, this.#areas, this.#hostBlocks?.address);
    const hasMasks = step.maskCount > 0;
    if (hasMasks && !step.masksFollow) this.#masks.upload(pending);
    this.#launcher.launch(flight, step, topCount);
    if (hasMasks) flight.forwardEnd.record(this.#stream);
    if (step.masksFollow) this.#unsampled = pending;
    else if (hasMasks) this.#sample(pending);
    else this.#complete(pending);
  }

  supplyMasks(stepId: number, masks: Int32Array): void {
    const step = this.#maskWait.supply(stepId, masks, this.limits);
    const pending = { ...this.#unsampled!, step };
    this.#masks.upload(pending);
    this.#sample(pending);
  }

  /** Enqueues the sampling of a step whose masks are on their way to the device. */
  #sample(pending: PendingStep): void {
    this.#stream.waitFor(pending.flight.masksThere);
    this.#launcher.sample(pending.topCount);
    this.#complete(pending);
  }

  /** Enqueues what follows sampling: the results come back. */
  #complete(pending: PendingStep): void {
    const { flight, step, topCount } = pending;
    const { outTokens, outTopIds, outBytes } = this.#areas;
    this.#copyWords(flight.results.address, outTokens, topCount > 0 ? outBytes : outTopIds - outTokens);
    flight.end.record(this.#stream);
    this.#signal.signalAfter(flight.end);
    const logits = step.returnLogits ? this.#copyLogits(step.logitCount) : undefined;
    this.#pending.push({ ...pending, logits });
  }

  /** Without overlap: what follows may read the words before it waits for its predecessor. */
  #copyWords(target: number, source: number, byteLength: number): void {
    this.#kernels.launch(this.#stream, copyWordsLaunch(target, source, byteLength), false);
  }

  async collect(): Promise<StepOutput> {
    const next = this.#pending.shift();
    if (next === undefined) throw new AloftError('INTERNAL', 'collect() without a submitted step');
    while (!next.flight.end.isDone()) await this.#signal.next();
    this.#requireRanks();
    const { profile } = this.#options;
    if (profile !== undefined) this.#timer?.read(profile);
    return stepOutputOf(next, this.#areas);
  }

  checkDevice(): void {
    this.#requireRanks();
    for (const { flight } of this.#pending) flight.end.isDone();
  }

  stopWaiting(): void {
    this.#link?.stop();
  }

  async dispose(): Promise<void> {
    this.#stream.synchronize();
    this.#masks.dispose();
    this.#signal.dispose();
    this.#timer?.dispose();
    this.#launcher.dispose();
    this.#matmuls.dispose();
    this.#kernels.dispose();
    this.#link?.dispose();
    this.#stream.dispose();
    this.#options.gpu.dispose();
  }

  /** Results of a step in which a rank was waited for in vain are worth nothing. */
  #requireRanks(): void {
    const fault = this.#link?.fault();
    if (fault !== undefined) throw fault;
  }

  /** @returns [logits, vocabulary or hidden columns], complete when the stream is */
  #copyLogits(logitCount: number): Float32Array {
    const { vocabulary, hiddenColumns: columns = vocabulary } = this.limits;
    const logits = new Float32Array(logitCount * columns);
    const source = this.#areas.valueAddress(this.#logits);
    const isWhole = this.#logits.columns === columns;
    if (isWhole) this.#stream.copyToHost(addressOf(logits), source, logits.byteLength);
    for (let row = 0; !isWhole && row < logitCount; row++)
      this.#stream.copyToHost(
        addressOf(logits) + row * columns * 4,
        source + row * this.#logits.columns * 4,
        columns * 4,
      );
    return logits;
  }
}

/** Connects the ranks of an engine. */
function linkOf(
  { plan, gpu, lowered, workspace, agreement, ...options }: PreparedOptions,
  { kernels, stream }: { readonly kernels: Kernels; readonly stream: Stream },
): GpuLink | undefined {
  const { group } = agreement;
  if (group === undefined) return undefined;
  const { areas, sizes } = workspace;
  const layout = exchangeLayoutOf(lowered, sizes.maxLogits);
  return new GpuLink({ plan, group, gpu, kernels, stream, memory: areas.exchange, layout, options });
}
