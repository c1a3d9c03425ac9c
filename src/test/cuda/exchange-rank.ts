/** For tests and measurements: a rank on a GPU that makes exchanges with others. */
import type { CollectivesWay } from '../../core/engine-options.js';
import { floatToHalf, halfToFloat } from '../../core/dtype.js';
import { type ErrorReport, reportError } from '../../core/errors.js';
import { seededRandom } from '../../core/random.js';
import { benchmarkPlan } from '../../builder/testing/benchmark-plans.js';
import { namedShape } from '../../builder/random-weights/shapes.js';
import { RankGroup, rankGroupBytes } from '../../device/cpu/rank-group.js';
import { type Gpu, openGpu } from '../../device/cuda/gpu.js';
import { createKernels } from '../../device/cuda/kernels.js';
import { createEvent, createStream, type Stream } from '../../device/cuda/stream.js';
import type { CollectiveResult, CollectiveTask, GatherSizes } from '../../device/testing/collective-suite.js';
import { openSharedMemory } from '../../ffi/shared-memory.js';
import type { LaunchSink } from '../../ops/cuda/sink.js';
import { lowerForCuda } from '../../ops/cuda/lower.js';
import { enqueueAllGather, enqueueAllReduce, enqueueReduceNorm } from '../../ops/exchange/ranks.js';
import { rmsNormLaunch } from '../../ops/rms-norm/cuda.js';
import type { Plan } from '../../plan/plan.js';
import { GpuLink } from '../../run/executor/cuda/gpu-link.js';
import { exchangeLayoutOf } from '../../run/executor/cuda/memory-sizes.js';

/** Columns of sums. */
export const HIDDEN = 4096;
const MEMORY_DESCRIPTOR = 4;
const MAX_LOGITS = 64;
const MAX_VALUES = 2048 * HIDDEN;
/** Calls of a captured graph, and launches of it, of which the fastest counts. */
const TIMED_CALLS = 20;
const TIMED_LAUNCHES = 30;
const EPSILON = 1e-5;

export interface ExchangeSetup {
  readonly rank: number;
  readonly rankCount: number;
  readonly patienceMs: number;
  /** Ordinal of the rank's GPU; several ranks may have the same. */
  readonly gpu: number;
  /** Way between GPUs. Default `auto`. */
  readonly collectives?: CollectivesWay | undefined;
  /** Machine code of the plan's unit `common`. */
  readonly common: Uint8Array;
  readonly work: ExchangeWork;
}

export type ExchangeWork =
  | { readonly kind: 'tasks'; readonly tasks: readonly CollectiveTask[] }
  /** Sums with norms of these numbers of rows, in one kernel and in two. */
  | { readonly kind: 'norms'; readonly rows: readonly number[] }
  /** A captured graph of sums, launched so often. */
  | { readonly kind: 'replays'; readonly count: number }
  /** Times of sums of these numbers of rows in a captured graph, by themselves or with residual and norm. */
  | { readonly kind: 'times'; readonly rows: readonly number[]; readonly hasNorm: boolean }
  /** Rank 0 sums alone, and the host ends its wait or not. */
  | { readonly kind: 'alone'; readonly isStopped: boolean };

export interface ExchangeReport {
  readonly results?: readonly CollectiveResult[];
  /** Bits of norms, for comparison between ranks. */
  readonly norms?: readonly { readonly bits: Uint16Array; readonly areSame: boolean }[];
  readonly sums?: readonly number[];
  readonly microseconds?: readonly number[];
  readonly summary?: string;
  readonly fault?: ErrorReport | undefined;
}

/** Plan whose kernels the exchanges are. */
export function exchangePlan(rank: number, worldSize: number): Plan {
  const shape = { ...namedShape('llama2_7b'), num_hidden_layers: 1 };
  return benchmarkPlan({ shape, dtype: 'f16', weights: 'dense', ranks: { rank, worldSize } });
}

class ExchangeRank {
  readonly #gpu: Gpu;
  readonly #stream: Stream;
  readonly #sink: LaunchSink;
  readonly #link: GpuLink;
  readonly #x: number;
  readonly #out: number;
  readonly #rank: number;

  constructor({ rank, rankCount, patienceMs, common, gpu: ordinal, collectives }: ExchangeSetup) {
    const { area } = openSharedMemory(MEMORY_DESCRIPTOR, rankGroupBytes(rankCount));
    const group = new RankGroup(area.address, { rank, rankCount, patienceMs });
    const gpu = openGpu(ordinal);
    const kernels = createKernels(gpu.driver, gpu.properties.computeCapability);
    kernels.load('common', common);
    const stream = createStream(gpu.driver);
    const plan = exchangePlan(rank, rankCount);
    const layout = exchangeLayoutOf(lowerForCuda(plan), MAX_LOGITS);
    const memory = gpu.allocate(layout.byteLength, 'exchange');
    this.#rank = rank;
    this.#gpu = gpu;
    this.#stream = stream;
    this.#x = gpu.allocate(4 * MAX_VALUES, 'values');
    this.#out = gpu.allocate(4 * MAX_VALUES, 'results');
    const options = { shareGpu: true, cudaLibraryPath: undefined, collectives };
    const link = new GpuLink({ plan, group, gpu, kernels, stream, memory, layout, options });
    this.#link = link;
    this.#sink = {
      kernel: (launch) => kernels.launch(stream, launch, true),
      matmul: () => undefined,
      exchange: (call) => link.exchange(call),
    };
  }

  run(work: ExchangeWork): ExchangeReport {
    const { summary } = this.#link;
    switch (work.kind) {
      case 'tasks':
        return { summary, results: work.tasks.map((task) => this.#task(task)) };
      case 'norms':
        return { summary, norms: work.rows.map((rows) => this.#norm(rows)) };
      case 'replays':
        return { summary, sums: this.#replay(work.count) };
      case 'times':
        return { summary, microseconds: work.rows.map((rows) => this.#time(rows, work.hasNorm)) };
      case 'alone':
        return { summary, fault: this.#alone(work.isStopped) };
    }
  }

  #task({ values, gather }: CollectiveTask): CollectiveResult {
    return { values: gather === undefined ? this.#sum(values) : this.#gather(values, gather) };
  }

  #sum(values: Float32Array): Float32Array {
    this.#gpu.upload(this.#x, Uint16Array.from(values, floatToHalf));
    this.#enqueueSum(values.length / HIDDEN);
    return Float32Array.from(this.#halves(this.#x, values.length), halfToFloat);
  }

  #gather(
    values: Float32Array,
    { rowCount: rows, columnCount: columns, outColumnCount }: GatherSizes,
  ): Float32Array {
    this.#gpu.upload(this.#x, values);
    const at = { x: this.#x, out: this.#out };
    enqueueAllGather(this.#link.connection, { rows, columns, outColumns: outColumnCount }, at, this.#sink);
    this.#stream.synchronize();
    const result = new Float32Array(new ArrayBuffer(4 * rows * outColumnCount));
    this.#gpu.download(this.#out, result);
    return result;
  }

  /** A sum with its norm in one kernel, then the same in two. */
  #norm(rows: number): { readonly bits: Uint16Array; readonly areSame: boolean } {
    const count = rows * HIDDEN;
    const random = seededRandom(rows);
    const halves = (length: number): Uint16Array =>
      Uint16Array.from({ length }, () => floatToHalf(random.next() - 0.5));
    const [residual, weight] = [halves(count), halves(HIDDEN)];
    const own = seededRandom(100 * rows + this.#rank);
    const values = Uint16Array.from({ length: count }, () => floatToHalf(own.next() - 0.5));
    const at = { x: this.#x, residual: this.#x + 2 * count, weight: this.#out, out: this.#out + 2 * HIDDEN };
    const results = [true, false].map((isOne) => {
      this.#gpu.upload(at.x, values);
      this.#gpu.upload(at.residual, residual);
      this.#gpu.upload(at.weight, weight);
      const { connection } = this.#link;
      if (isOne) {
        const operands = { ...at, columns: HIDDEN, epsilon: EPSILON };
        enqueueReduceNorm(connection, rows, operands, { sink: this.#sink, startNorm: () => undefined });
      } else {
        enqueueAllReduce(connection, rows, { x: at.x, columns: HIDDEN }, this.#sink);
        this.#sink.kernel(rmsNormLaunch(rows, EPSILON, { ...at, x: at.residual, delta: at.x }));
      }
      this.#stream.synchronize();
      return Uint16Array.from([...this.#halves(at.out, count), ...this.#halves(at.residual, count)]);
    });
    const [one, two] = results;
    return { bits: one!, areSame: one!.every((value, i) => value === two![i]) };
  }

  /** Sums of 3, 130 and 2 rows in a graph. @returns the first value of each after each launch */
  #replay(count: number): number[] {
    const rows = [3, 130, 2];
    const at = rows.map((_, i) => this.#x + 2 * HIDDEN * rows.slice(0, i).reduce((sum, one) => sum + one, 0));
    const { connection } = this.#link;
    const graph = this.#stream.capture(() => {
      for (const [i, x] of at.entries())
        enqueueAllReduce(connection, rows[i]!, { x, columns: HIDDEN }, this.#sink);
    });
    const sums: number[] = [];
    for (let launch = 0; launch < count; launch++) {
      const total = HIDDEN * rows.reduce((sum, one) => sum + one, 0);
      this.#gpu.upload(this.#x, new Uint16Array(total).fill(floatToHalf(this.#rank + launch)));
      graph.launch(this.#stream);
      this.#stream.synchronize();
      sums.push(...at.map((x) => halfToFloat(this.#halves(x, 1)[0]!)));
    }
    graph.dispose();
    return sums;
  }

  #time(rows: number, hasNorm: boolean): number {
    const { connection } = this.#link;
    this.#gpu.upload(this.#x, new Uint16Array(rows * HIDDEN));
    const at = {
      x: this.#x,
      residual: this.#x + 2 * rows * HIDDEN,
      weight: this.#out,
      out: this.#out + 2 * HIDDEN,
    };
    const graph = this.#stream.capture(() => {
      for (let call = 0; call < TIMED_CALLS; call++)
        if (hasNorm) {
          const operands = { ...at, columns: HIDDEN, epsilon: EPSILON };
          enqueueReduceNorm(connection, rows, operands, { sink: this.#sink, startNorm: () => undefined });
        } else enqueueAllReduce(connection, rows, { x: at.x, columns: HIDDEN }, this.#sink);
    });
    const [start, end] = [createEvent(this.#gpu.driver), createEvent(this.#gpu.driver)];
    let best = Infinity;
    for (let launch = 0; launch < TIMED_LAUNCHES; launch++) {
      start.record(this.#stream);
      graph.launch(this.#stream);
      end.record(this.#stream);
      end.synchronize();
      best = Math.min(best, end.msSince(start));
    }
    graph.dispose();
    return (1000 * best) / TIMED_CALLS;
  }

  #alone(isStopped: boolean): ErrorReport | undefined {
    if (this.#rank > 0) return undefined;
    this.#gpu.upload(this.#x, new Uint16Array(HIDDEN));
    enqueueAllReduce(this.#link.connection, 1, { x: this.#x, columns: HIDDEN }, this.#sink);
    if (isStopped) this.#link.stop();
    this.#stream.synchronize();
    const fault = this.#link.fault();
    return fault && reportError(fault);
  }

  #enqueueSum(rows: number): void {
    enqueueAllReduce(this.#link.connection, rows, { x: this.#x, columns: HIDDEN }, this.#sink);
    this.#stream.synchronize();
  }

  #halves(address: number, count: number): Uint16Array {
    const halves = new Uint16Array(new ArrayBuffer(2 * count));
    this.#gpu.download(address, halves);
    return halves;
  }
}

/** Connects a rank with the others and does its work. */
export function reportOf(setup: ExchangeSetup): ExchangeReport {
  try {
    return new ExchangeRank(setup).run(setup.work);
  } catch (thrown) {
    return { fault: reportError(thrown) };
  }
}
