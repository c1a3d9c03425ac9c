/** Captured decode steps: one graph for each size, made when first needed or all at once. */
import type { Graph, Stream } from '../../../device/cuda/stream.js';
import type { StepPart } from './program.js';
import { descriptorLayout, type DescriptorLayout } from './step-descriptor.js';

/** Largest decode batch that is captured. */
export const MAX_GRAPH_ROWS = 512;

/** Rows of a captured decode step: 1, 2, 4, 8, then steps of 8, 16 and 32. */
export function graphRows(rows: number): number {
  if (rows <= 8) return powerAbove(rows);
  const step = rows <= 64 ? 8 : rows <= 256 ? 16 : 32;
  return Math.ceil(rows / step) * step;
}

const powerAbove = (count: number): number => 2 ** Math.ceil(Math.log2(count));

/** Room of a graph: rows, and pieces of attention. */
export interface GraphSize {
  readonly rows: number;
  readonly decodeItems: number;
}

/** The graph of a step with `rowCount` rows and `decodeItems` pieces of attention. */
export function graphSize(rowCount: number, decodeItems: number, maxRows: number): GraphSize {
  const rows = Math.min(graphRows(rowCount), maxRows);
  return { rows, decodeItems: Math.max(rows, powerAbove(decodeItems)) };
}

/** Every size that steps of up to `maxRows` rows can have. @param maxPieces of the longest sequence, in a step of so many rows */
export function graphSizes(maxRows: number, maxPieces: (rowCount: number) => number): readonly GraphSize[] {
  const sizes = new Map<string, GraphSize>();
  for (let rowCount = 1; rowCount <= Math.min(maxRows, MAX_GRAPH_ROWS); rowCount++) {
    const most = rowCount * maxPieces(rowCount);
    for (let items = powerAbove(rowCount); ; items *= 2) {
      const size = graphSize(rowCount, Math.min(items, most), maxRows);
      sizes.set(keyOf(size), size);
      if (items >= most) break;
    }
  }
  return [...sizes.values()];
}

const keyOf = ({ rows, decodeItems }: GraphSize): string => `${rows}/${decodeItems}`;

interface CapturedStep {
  readonly graph: Graph;
  /** Where the step's descriptor has its fields. */
  readonly layout: DescriptorLayout;
}

export interface DecodeGraphs {
  /** Captured when it is asked for the first time. A part of a step is a graph of its own. */
  graphFor(size: GraphSize, part: StepPart): CapturedStep;
  dispose(): void;
}

/** @param emit enqueues a part of a decode step whose descriptor has the layout */
export function createDecodeGraphs(
  stream: Pick<Stream, 'capture'>,
  maxBlocks: number,
  emit: (layout: DescriptorLayout, part: StepPart) => void,
): DecodeGraphs {
  const captured = new Map<string, CapturedStep>();
  return {
    graphFor(size, part) {
      const key = `${part} ${keyOf(size)}`;
      let found = captured.get(key);
      if (found === undefined) {
        const { rows, decodeItems } = size;
        const capacity = {
          tokens: rows,
          rows,
          logits: rows,
          decodeItems,
          prefillTiles: 0,
          keyTiles: 0,
          maxBlocks,
        };
        const layout = descriptorLayout(capacity);
        found = { layout, graph: stream.capture(() => emit(layout, part)) };
        captured.set(key, found);
      }
      return found;
    },
    dispose() {
      for (const { graph } of captured.values()) graph.dispose();
      captured.clear();
    },
  };
}
