/** Rotation, append to the cache and attention of a layer on a GPU. */
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import { commonPart, type CudaOpDefinition, type UnitPart } from '../cuda/definition.js';
import { cudaDtype } from '../cuda/dtype.js';
import type { CudaAttention } from '../cuda/lower.js';
import type { CudaScope, CudaStep } from '../cuda/scope.js';
import { ropeAppendLaunch, type RopeOperands } from '../rope/cuda.js';
import { rotationOffset } from '../rope/cuda-tables.js';
import { attentionFiles, type PrefillKernel, prefillKernelFor, prefillLaunch, wgmmaBoxRows } from './cuda.js';
import { decodeKernelsFor, decodeLaunch } from './cuda-decode.js';
import { expandedMap, expandLaunch, keyTileRoom } from './cuda-expand.js';
import type { AttentionMaps, AttentionOperands } from './cuda-problem.js';

export const attentionOp: CudaOpDefinition<CudaAttention> = {
  kernels: (_, { plan, target, blockTokens }) => [
    commonPart(isQuantisedKv(plan.kvDtype) ? 'rope/rope-8bit.cu' : 'rope/rope.cu'),
    ...attentionFiles(plan, target.computeCapability, blockTokens).map((file): UnitPart => ({
      unit: 'attention',
      file,
    })),
  ],
  bind(op, scope) {
    const { plan, memory, target, blockTokens } = scope.context;
    const { headCount, kvHeadCount, headDim } = plan.dims;
    const { blockStride, headBlockBytes } = memory;
    const isQuantised = isQuantisedKv(plan.kvDtype);
    const { window = 0 } = op.attend;
    const decodeKernels = decodeKernelsFor(plan, target.computeCapability, blockTokens);
    const prefillKernel = prefillKernelFor(plan, target.computeCapability, blockTokens);
    const operandsOf = bindOperands(op, scope, prefillKernel);
    return (step, sink) => {
      const { tokens, decodeItems, prefillTiles, keyTiles, maxBlocks } = step;
      const operands = operandsOf(step);
      // A step of decode attention alone leaves rotation and append to it.
      if (prefillTiles > 0) {
        const shape = { tokens, headCount, kvHeadCount, headDim, blockStride, isQuantised, maxBlocks };
        sink.kernel(ropeAppendLaunch(shape, operands));
      }
      sink.startOp?.(op.index + 1);
      const problem = {
        headCount,
        kvHeadCount,
        headDim,
        blockTokens,
        blockStride,
        headBlockBytes,
        isQuantised,
        maxBlocks,
        window,
        decodeItems,
        prefillTiles,
        keyTiles,
      };
      if (decodeItems > 0) sink.kernel(decodeLaunch(decodeKernels, tokens, problem, target, operands));
      if (keyTiles > 0) sink.kernel(expandLaunch(problem, operands));
      if (prefillTiles > 0) sink.kernel(prefillLaunch(prefillKernel, problem, target, operands));
    };
  },
};

/** Returns a function that adds the fields of a step's descriptor to the addresses that are the same in every step. */
function bindOperands(
  { append, attend }: CudaAttention,
  scope: CudaScope,
  prefillKernel: PrefillKernel,
): (step: CudaStep) => AttentionOperands & RopeOperands {
  const { memory, plan, maxSequenceTokens } = scope.context;
  const { partials, arrivals, expanded } = memory;
  const tableOffset = rotationOffset(plan, append.rope, maxSequenceTokens);
  const [cosTable, sinTable] = [memory.cosTable + tableOffset, memory.sinTable + tableOffset];
  const [qkv, out] = [scope.at(attend.qkv), scope.next().at(attend.out)];
  const cache = memory.cacheLayer(attend.layer);
  const layerOffsetBytes = cache - memory.cacheLayer(0);
  const maps =
    prefillKernel.name === 'attention_prefill' ? undefined : attentionMaps(attend.qkv, scope, prefillKernel);
  // One literal: to spread an object of so many members takes ten times as long, for each layer of each step.
  return ({ descriptor }) => ({
    qkv,
    cache,
    layerOffsetBytes,
    maps,
    out,
    cosTable,
    sinTable,
    partials,
    arrivals,
    positions: descriptor('positions'),
    tokenRows: descriptor('tokenRows'),
    rowOffsets: descriptor('rowOffsets'),
    contextLengths: descriptor('contextLengths'),
    blockTables: descriptor('blockTables'),
    decodeItems: descriptor('decodeItems'),
    itemCount: descriptor('itemCount'),
    prefillTiles: descriptor('prefillTiles'),
    keyTiles: descriptor('keyTiles'),
    firstKeyTiles: descriptor('firstKeyTiles'),
    expanded,
  });
}

/** Maps of the queries of a step's tokens; and of a whole cache of 16 bits, or of what is expanded, as a matrix of keys and values. */
function attentionMaps(qkv: string, scope: CudaScope, { expands }: PrefillKernel): AttentionMaps {
  const { plan, memory, blockTokens, maxStepTokens, maxSequenceTokens } = scope.context;
  const { headDim } = plan.dims;
  const value = scope.value(qkv);
  const dtype = cudaDtype(plan);
  const boxRows = wgmmaBoxRows(blockTokens);
  const keyTiles = keyTileRoom(plan.dims, { maxStepTokens, maxSequenceTokens });
  const cacheRows = memory.kvBytes / (headDim * 2);
  return {
    qkv: memory.tensorMap({
      address: scope.at(qkv),
      rows: memory.valueRows(value),
      columns: value.columns,
      boxRows: boxRows.qkv,
      dtype,
    }),
    cache: expands
      ? undefined
      : memory.tensorMap({
          address: memory.kvBase,
          rows: cacheRows,
          columns: headDim,
          boxRows: boxRows.cache,
          dtype,
        }),
    expanded: expands
      ? memory.tensorMap(expandedMap(plan.dims, { address: memory.expanded, keyTiles, dtype }))
      : undefined,
  };
}
