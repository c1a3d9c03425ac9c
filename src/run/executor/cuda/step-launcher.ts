/** Puts the ops of a step on the stream: launch by launch, or as a graph that was captured before. */
import type { StepInput } from '../../../core/step.js';
import type { Stream } from '../../../device/cuda/stream.js';
import { maxPieceCount } from '../../../ops/paged-attention/cuda-pieces.js';
import type { CudaStep } from '../../../ops/cuda/scope.js';
import type { LaunchSink } from '../../../ops/cuda/sink.js';
import type { ExecutorLimits } from '../executor.js';
import type { CallTimer } from './call-timer.js';
import {
  createDecodeGraphs,
  type DecodeGraphs,
  type GraphSize,
  graphSize,
  graphSizes,
  MAX_GRAPH_ROWS,
} from './decode-graphs.js';
import type { Flight } from './flight.js';
import type { Program, StepPart } from './program.js';
import {
  type AttentionSplit,
  countAttentionWork,
  type DescriptorLayout,
  descriptorLayout,
  fillDescriptor,
} from './step-descriptor.js';

export interface LauncherParts {
  readonly stream: Stream;
  readonly sink: LaunchSink;
  /** Copies a few words once the stream has come so far, and has what follows wait for them. */
  readonly copy: (target: number, source: number, byteLength: number) => void;
  /** Absent: no launch is timed. */
  readonly timer: CallTimer | undefined;
  readonly program: Program;
  readonly split: AttentionSplit;
  readonly limits: Pick<ExecutorLimits, 'maxRows' | 'maxSequenceTokens' | 'blockTokens'>;
  /** Address of the step's descriptor on the device. */
  readonly descriptor: number;
  readonly usesGraphs: boolean;
}

export class StepLauncher {
  readonly #parts: LauncherParts;
  readonly #graphs: DecodeGraphs;
  /** Blocks of the longest sequence. */
  readonly #maxBlocks: number;
  #last = 0;
  /** The descriptor on the device, and the size of the graph that reads it, if one does; undefined after a step without tokens. */
  #launched: { readonly layout: DescriptorLayout; readonly size?: GraphSize } | undefined;

  constructor(parts: LauncherParts) {
    const { stream, limits, sink } = parts;
    this.#parts = parts;
    this.#maxBlocks = Math.ceil(limits.maxSequenceTokens / limits.blockTokens);
    this.#graphs = createDecodeGraphs(stream, this.#maxBlocks, (layout, part) =>
      this.#emit(layout, part, { topCount: 0, sink }),
    );
  }

  /** Rows of the graph of the last step, or its negative number of tokens where it ran launch by launch. */
  get last(): number {
    return this.#last;
  }

  /** Captures every graph of a whole step. Those of steps with masks wait for their first one, which most engines never have. */
  prepare(): void {
    const { usesGraphs, limits, split } = this.#parts;
    if (!usesGraphs) return;
    const maxPieces = (rowCount: number): number =>
      maxPieceCount(split.pieces(rowCount), limits.maxSequenceTokens);
    for (const size of graphSizes(limits.maxRows, maxPieces)) this.#graphs.graphFor(size, 'whole');
  }

  /** Launches a step; of one with masks all but sampling. @param topCount largest number of most likely tokens that any logit reports */
  launch(flight: Flight, step: StepInput, topCount: number): void {
    const { usesGraphs, split, limits, stream, descriptor, copy, timer, sink } = this.#parts;
    const { tokenCount: tokens, rowCount: rows, logitCount: logits } = step;
    const { decodeItems, prefillTiles, keyTiles, isDecode } = countAttentionWork(step, split);
    const part = step.maskCount > 0 ? 'forward' : 'whole';
    this.#launched = undefined;
    if (usesGraphs && isDecode && topCount === 0 && rows > 0 && rows <= MAX_GRAPH_ROWS) {
      const size = graphSize(rows, decodeItems, limits.maxRows);
      const { graph, layout } = this.#graphs.graphFor(size, part);
      this.#last = size.rows;
      fillDescriptor(flight.words, layout, step, split);
      copy(descriptor, flight.staging.address, layout.length * 4);
      this.#launched = { layout, size };
      graph.launch(stream);
    } else if (tokens > 0) {
      this.#last = -tokens;
      const maxBlocks = this.#maxBlocks;
      const work = { decodeItems, prefillTiles, keyTiles };
      const layout = descriptorLayout({ tokens, rows, logits, ...work, maxBlocks });
      fillDescriptor(flight.words, layout, step, split);
      stream.copyToDevice(descriptor, flight.staging.address, layout.length * 4);
      this.#launched = { layout };
      timer?.begin();
      this.#emit(layout, part, { topCount, sink: timer?.sink ?? sink });
    }
  }

  /** Samples the step with masks that was launched last, in the way in which it was launched. */
  sample(topCount: number): void {
    const { stream, timer, sink } = this.#parts;
    if (this.#launched === undefined) return;
    const { layout, size } = this.#launched;
    if (size !== undefined) this.#graphs.graphFor(size, 'sampling').graph.launch(stream);
    else this.#emit(layout, 'sampling', { topCount, sink: timer?.sink ?? sink });
  }

  dispose(): void {
    this.#graphs.dispose();
  }

  #emit(
    { capacity, offsets }: DescriptorLayout,
    part: StepPart,
    { topCount, sink }: { readonly topCount: number; readonly sink: LaunchSink },
  ): void {
    const { tokens, logits, decodeItems, prefillTiles, keyTiles, maxBlocks } = capacity;
    const { descriptor, program } = this.#parts;
    const shape: CudaStep = {
      tokens,
      logits,
      decodeItems,
      prefillTiles,
      keyTiles,
      maxBlocks,
      topCount,
      descriptor: (field) => descriptor + 4 * offsets[field],
    };
    program(shape, sink, part);
  }
}
