/** Rotation, append to the cache and attention of a layer on a GPU. */
import { isQuantisedKv } from '../../plan/kv-dtype.js';
import { commonPart, type CudaOpDefinition, type UnitPart } from '../cuda/definition.js';
import { cudaDtype } from '../cuda/dtype.js';
import type { CudaAttention } from '../cuda/lower.js';
import type { CudaScope } from '../cuda/scope.js';
import type { DescriptorField } from '../cuda/step-fields.js';
import { ropeAppendLaunch } from '../rope/cuda.js';
import {
  attentionFiles,
  type AttentionOperands,
  decodeLaunch,
  type PrefillKernel,
  prefillKernelFor,
  prefillLaunch,
  wgmmaBoxRows,
} from './cuda.js';

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
    const prefillKernel = prefillKernelFor(plan, target.computeCapability, blockTokens);
    const fixed = fixedOperands(op, scope, prefillKernel);
    const { blockStride, headBlockBytes } = memory;
    const shape = { headCount, kvHeadCount, headDim, blockStride, isQuantised: isQuantisedKv(plan.kvDtype) };
    const sizes = { ...shape, blockTokens, headBlockBytes };
    return ({ tokens, decodeItems, prefillTiles, maxBlocks, descriptor }, sink) => {
      const operands = {
        ...fixed,
        rowOffsets: descriptor('rowOffsets'),
        contextLengths: descriptor('contextLengths'),
        blockTables: descriptor('blockTables'),
        decodeItems: descriptor('decodeItems'),
        itemCount: descriptor('itemCount'),
        prefillTiles: descriptor('prefillTiles'),
      };
      if (prefillTiles > 0) {
        // A step of decode attention alone leaves rotation and append to it.
        const rows = { positions: descriptor('positions'), tokenRows: descriptor('tokenRows') };
        sink.kernel(ropeAppendLaunch({ ...shape, tokens, maxBlocks }, { ...operands, ...rows }));
      }
      sink.startOp?.(op.index + 1);
      const problem = { ...sizes, maxBlocks, decodeItems, prefillTiles };
      if (decodeItems > 0) sink.kernel(decodeLaunch(problem, target, operands));
      if (prefillTiles > 0) sink.kernel(prefillLaunch(prefillKernel, problem, target, operands));
    };
  },
};

/** Operands whose addresses depend on the step: fields of its descriptor. */
type StepOperand = keyof AttentionOperands & DescriptorField;

/** Addresses that are the same in every step. */
function fixedOperands(
  { attend }: CudaAttention,
  scope: CudaScope,
  prefillKernel: PrefillKernel,
): Omit<AttentionOperands, StepOperand> {
  const { memory } = scope.context;
  const { cosTable, sinTable, partials, arrivals } = memory;
  const cache = memory.cacheLayer(attend.layer);
  return {
    qkv: scope.at(attend.qkv),
    cache,
    layerOffsetBytes: cache - memory.cacheLayer(0),
    maps: prefillKernel.name === 'attention_prefill' ? undefined : attentionMaps(attend.qkv, scope),
    out: scope.next().at(attend.out),
    cosTable,
    sinTable,
    partials,
    arrivals,
  };
}

/** Maps of the queries, keys and values of a step's tokens, and of the whole cache as a matrix of keys and values. */
function attentionMaps(qkv: string, scope: CudaScope): NonNullable<AttentionOperands['maps']> {
  const { plan, memory, blockTokens } = scope.context;
  const { headDim } = plan.dims;
  const value = scope.value(qkv);
  const dtype = cudaDtype(plan);
  const boxRows = wgmmaBoxRows(blockTokens);
  return {
    qkv: memory.tensorMap({
      address: scope.at(qkv),
      rows: memory.valueRows(value),
      columns: value.columns,
      boxRows: boxRows.qkv,
      dtype,
    }),
    cache: memory.tensorMap({
      address: memory.kvBase,
      rows: memory.kvBytes / (headDim * 2),
      columns: headDim,
      boxRows: boxRows.cache,
      dtype,
    }),
  };
}
