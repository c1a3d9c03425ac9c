/** A step of attention over cached tokens, for the kernels of a GPU and for the reference. */
import type { TestKernels } from '../../../builder/testing/test-kernels.js';
import { buildStep } from '../../../core/build-step.js';
import { type RandomSource, seededRandom } from '../../../core/random.js';
import type { StepInput } from '../../../core/step.js';
import { isQuantisedKv, type KvDtype } from '../../../plan/kv-dtype.js';
import type { AttentionScores } from '../../../plan/plan.js';
import { ceilDiv } from '../../cuda/launch.js';
import { type Matrix, randomMatrix, rowOf } from '../../matrix.js';
import { ropeAppendReference } from '../../rope/reference.js';
import { rotationTable } from '../../rope/rotation.js';
import { roundActivations } from '../../testing/activations.js';
import { prefillKernelFor, wgmmaBoxRows } from '../cuda.js';
import { expandedMap, keyTileBytes } from '../cuda-expand.js';
import { decodeKernelOf, decodeKernelsFor } from '../cuda-decode.js';
import type { DecodeKernels } from '../cuda-decode-kernel.js';
import { DECODE_ITEM_WORDS, type PieceRule } from '../cuda-pieces.js';
import type { AttentionOperands, AttentionProblem } from '../cuda-problem.js';
import { ReferenceKvCache } from '../reference-cache.js';
import { pagedAttentionReference } from '../reference.js';
import { type AttentionItems, attentionItems } from './attention-items.js';
import { CudaCache, type VectorPlace } from './cuda-cache.js';

/** Tokens of a sequence: those that are cached, and those that the step brings. */
export interface AttendingRow {
  readonly cached: number;
  readonly fresh: number;
}

const LAYER = 1;
const ROPE = { theta: 10_000, scaling: { type: 'none' } } as const;
/** A byte that is no number, neither in elements of 16 bits nor in scales. */
const NOTHING = 0xff;

export class AttentionCase {
  readonly step: StepInput;
  /** [tokens, (heads + 2 kvHeads) * headDim], numbers that activations can hold. */
  readonly qkv: Matrix;
  /** The cache before the step; everything that was not cached is no number. */
  readonly cache: CudaCache;
  readonly problem: AttentionProblem;
  readonly #kernels: TestKernels;
  readonly #reference: ReferenceKvCache;
  readonly #rule: PieceRule | undefined;

  /** @param rule cuts rows of one new token; by default as the plan's kernel of so many tokens wants it */
  constructor(kernels: TestKernels, rows: readonly AttendingRow[], rule?: PieceRule) {
    const { plan, blockTokens, dtype } = kernels;
    const { dims, kvDtype } = plan;
    const random = seededRandom(rows.length + dims.headDim);
    const { step, blockCount } = stepOf(rows, blockTokens, random);
    const { headCount, kvHeadCount, headDim, layerCount } = dims;
    const shape = { layerCount, kvHeadCount, headDim, blockTokens, blockCount, dtype, kvDtype };
    this.#kernels = kernels;
    this.#rule = rule;
    this.step = step;
    this.cache = new CudaCache(shape, NOTHING);
    this.#reference = new ReferenceKvCache(dims, { blockCount, blockTokens, dtype: referenceDtype(kvDtype) });
    const columns = (headCount + 2 * kvHeadCount) * headDim;
    this.qkv = this.#rounded(randomMatrix(step.tokenCount, columns, random), 2);
    for (const [row, { cached }] of rows.entries())
      for (let position = 0; position < cached; position++) this.#fill(row, position, random);
    this.problem = { ...this.#work(), ...this.#sizes(), keyTiles: 0 };
  }

  get dims() {
    return this.#kernels.plan.dims;
  }

  /** Queries and keys as the reference rotates them, not rounded, beside the values as they are. */
  rotated(): Matrix {
    const { blockTokens } = this.#kernels;
    const { blockCount } = this.cache.shape;
    const scratch = new ReferenceKvCache(this.dims, { blockCount, blockTokens, dtype: 'f32' });
    const rotated = { ...this.qkv, data: this.qkv.data.slice() };
    const promptTokens = Array.from({ length: this.step.rowCount }, () => 0);
    ropeAppendReference(rotated, this.step, scratch, { layer: LAYER, rope: ROPE, promptTokens });
    return rotated;
  }

  /** Result of the reference, from the numbers that a device has between its kernels. -> [tokens, heads * headDim] */
  expected(): Matrix {
    const rotated = this.#rounded(this.rotated());
    this.eachFresh((row, position, token) => {
      const { keys, values } = this.#keysAndValues(rotated, token);
      this.#reference.store(this.#reference.offsetOf(this.step, row, position, LAYER), keys, values);
    });
    return pagedAttentionReference(rotated, this.step, this.#reference, { ...this.#scores, layer: LAYER });
  }

  /** Visits every token that the step brings. */
  eachFresh(visit: (row: number, position: number, token: number) => void): void {
    const { rowCount, rowOffsets, positions } = this.step;
    for (let row = 0; row < rowCount; row++)
      for (let token = rowOffsets[row]!; token < rowOffsets[row + 1]!; token++)
        visit(row, positions[token]!, token);
  }

  /** Places of the key and the value of each head of a position. */
  placesOf(row: number, position: number): VectorPlace[] {
    const { blockTokens } = this.#kernels;
    const { blockTables, maxBlocksPerSequence } = this.step;
    const block = blockTables[row * maxBlocksPerSequence + Math.floor(position / blockTokens)]!;
    const at = { layer: LAYER, block, token: position % blockTokens };
    return Array.from({ length: this.dims.kvHeadCount }, (_, kvHead) => [
      { ...at, kvHead, part: 'key' as const },
      { ...at, kvHead, part: 'value' as const },
    ]).flat();
  }

  /** The vector of qkv that belongs at a place. */
  vectorOf({ data, columnCount }: Matrix, token: number, { kvHead, part }: VectorPlace): Float32Array {
    const { headCount, kvHeadCount, headDim } = this.dims;
    const head = headCount + (part === 'value' ? kvHeadCount : 0) + kvHead;
    const start = token * columnCount + head * headDim;
    return data.subarray(start, start + headDim);
  }

  /** Copies everything to the device. `out` is zeroed. */
  upload(): AttentionOperands & { readonly positions: number; readonly tokenRows: number } {
    const { step } = this;
    const { headCount, kvHeadCount, headDim } = this.dims;
    const kernels = this.#kernels;
    const qkv = kernels.reserve(2 * this.#mapRows * this.qkv.columnCount);
    kernels.write(qkv, this.qkv.data);
    const cacheBase = kernels.upload(this.cache.bytes);
    const positionCount = Math.max(...step.contextLengths);
    const { cos, sin } = rotationTable(ROPE, headDim, { positionCount });
    const { decodeItems, prefillTiles, keyTiles, firstKeyTiles } = this.#items();
    const expanded = kernels.reserve(keyTiles.length * keyTileBytes(this.dims));
    const tokenRows = new Int32Array(step.tokenCount);
    this.eachFresh((row, _, token) => (tokenRows[token] = row));
    const layerOffsetBytes = LAYER * this.cache.layerBytes;
    const partialCount = (decodeItems.length / DECODE_ITEM_WORDS) * headCount * (headDim + 2);
    return {
      qkv,
      cache: cacheBase + layerOffsetBytes,
      layerOffsetBytes,
      maps: this.#maps({ qkv, cacheBase, expanded }),
      out: kernels.reserve(2 * step.tokenCount * headCount * headDim),
      cosTable: kernels.upload(cos),
      sinTable: kernels.upload(sin),
      partials: kernels.reserve(4 * Math.max(1, partialCount)),
      arrivals: kernels.reserve(4 * step.rowCount * kvHeadCount),
      itemCount: kernels.upload(Int32Array.of(decodeItems.length / DECODE_ITEM_WORDS)),
      decodeItems: kernels.upload(Int32Array.of(...decodeItems, 0)),
      prefillTiles: kernels.upload(Int32Array.of(...prefillTiles, 0)),
      keyTiles: kernels.upload(Int32Array.of(...keyTiles, 0)),
      firstKeyTiles: kernels.upload(Int32Array.of(...firstKeyTiles, 0)),
      expanded,
      positions: kernels.upload(step.positions),
      tokenRows: kernels.upload(tokenRows),
      rowOffsets: kernels.upload(step.rowOffsets),
      contextLengths: kernels.upload(step.contextLengths),
      blockTables: kernels.upload(step.blockTables),
    };
  }

  /** The cache as it is on the device. */
  download({ cache, layerOffsetBytes }: AttentionOperands): CudaCache {
    const found = new CudaCache(this.cache.shape, NOTHING);
    found.bytes.set(this.#kernels.bytes(cache - layerOffsetBytes, found.bytes.length));
    return found;
  }

  get prefillKernel() {
    const { plan, target, blockTokens } = this.#kernels;
    return prefillKernelFor(plan, target.computeCapability, blockTokens);
  }

  /** Window and soft cap of the plan's attention. */
  get #scores(): AttentionScores {
    return this.#kernels.plan.ops.find((op) => op.kind === 'pagedAttention')!;
  }

  /** Rows that a tensor map of qkv has: those of a box at least. */
  get #mapRows(): number {
    return Math.max(this.step.tokenCount, wgmmaBoxRows(this.#kernels.blockTokens).qkv);
  }

  /** The same work with keys and values that are expanded first. */
  get expandedProblem(): AttentionProblem {
    return { ...this.problem, keyTiles: this.#items().keyTiles.length };
  }

  #maps(at: {
    readonly qkv: number;
    readonly cacheBase: number;
    readonly expanded: number;
  }): AttentionOperands['maps'] {
    if (this.prefillKernel.name === 'attention_prefill') return undefined;
    const { tensorMap, dtype, blockTokens } = this.#kernels;
    const keyTiles = this.#items().keyTiles.length;
    const isQuantised = isQuantisedKv(this.cache.shape.kvDtype);
    const { headDim } = this.dims;
    const boxRows = wgmmaBoxRows(blockTokens);
    const columns = this.qkv.columnCount;
    const rows = this.cache.bytes.length / (2 * headDim);
    return {
      qkv: tensorMap({ address: at.qkv, rows: this.#mapRows, columns, boxRows: boxRows.qkv, dtype }),
      cache: isQuantised
        ? undefined
        : tensorMap({ address: at.cacheBase, rows, columns: headDim, boxRows: boxRows.cache, dtype }),
      // A map has a row at least; steps that only decode expand nothing.
      expanded:
        isQuantised && keyTiles > 0
          ? tensorMap(expandedMap(this.dims, { address: at.expanded, keyTiles, dtype }))
          : undefined,
    };
  }

  get decodeKernels(): DecodeKernels {
    const { plan, target, blockTokens } = this.#kernels;
    return decodeKernelsFor(plan, target.computeCapability, blockTokens);
  }

  get #pieces(): PieceRule {
    const { tokenCount } = this.step;
    return (
      this.#rule ?? decodeKernelOf(this.decodeKernels, tokenCount).pieces(tokenCount, this.#kernels.target)
    );
  }

  #items(): AttentionItems {
    return attentionItems(this.step, this.#pieces, this.prefillKernel.queryTile);
  }

  #work() {
    const { decodeItems, prefillTiles } = this.#items();
    return { decodeItems: decodeItems.length / DECODE_ITEM_WORDS, prefillTiles: prefillTiles.length };
  }

  #sizes() {
    const { headCount, kvHeadCount, headDim } = this.dims;
    return {
      headCount,
      kvHeadCount,
      headDim,
      blockTokens: this.#kernels.blockTokens,
      blockStride: this.cache.blockStride,
      headBlockBytes: this.cache.headBlockBytes,
      isQuantised: isQuantisedKv(this.cache.shape.kvDtype),
      maxBlocks: this.step.maxBlocksPerSequence,
      window: this.#scores.window ?? 0,
    };
  }

  #rounded(matrix: Matrix, factor = 1): Matrix {
    const data = matrix.data.map((value) => factor * value);
    return { ...matrix, data: roundActivations(data, this.#kernels.dtype) };
  }

  /** Caches a random token, on both sides. */
  #fill(row: number, position: number, random: RandomSource): void {
    const { kvHeadCount, headDim } = this.dims;
    const token = this.#rounded(randomMatrix(2, kvHeadCount * headDim, random), 2);
    const [keys, values] = [rowOf(token, 0), rowOf(token, 1)];
    for (const place of this.placesOf(row, position)) {
      const from = place.part === 'key' ? keys : values;
      this.cache.write(place, from.subarray(place.kvHead * headDim, (place.kvHead + 1) * headDim));
    }
    this.#reference.store(this.#reference.offsetOf(this.step, row, position, LAYER), keys, values);
  }

  #keysAndValues(qkv: Matrix, token: number) {
    const { headCount, kvHeadCount, headDim } = this.dims;
    const values = (headCount + kvHeadCount) * headDim;
    const row = rowOf(qkv, token);
    return { keys: row.subarray(headCount * headDim, values), values: row.subarray(values) };
  }
}

const referenceDtype = (kvDtype: KvDtype) => (isQuantisedKv(kvDtype) ? kvDtype : 'f32');

/** The step of these rows, whose blocks lie scattered in a pool with some that belong to nobody. */
function stepOf(rows: readonly AttendingRow[], blockTokens: number, random: RandomSource) {
  const counts = rows.map(({ cached, fresh }) => ceilDiv(cached + fresh, blockTokens));
  const blockCount = counts.reduce((sum, count) => sum + count, 3);
  const order = Array.from({ length: blockCount }, (_, block) => ({ block, key: random.next() }));
  const free = order.toSorted((a, b) => a.key - b.key).map(({ block }) => block);
  const step = buildStep(
    rows.map(({ cached, fresh }, slot) => ({
      slot,
      tokenIds: Array.from({ length: fresh }, () => 0),
      firstPosition: cached,
      blocks: free.splice(0, counts[slot]),
    })),
  );
  return { step, blockCount };
}
