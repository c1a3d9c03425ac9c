import { AloftError } from '../../core/errors.js';
import type { NativeFunction } from '../../ffi/library.js';
import { addressOf } from '../../ffi/memory.js';
import type { MatmulPointers, MatmulShape } from '../../ops/cuda/sink.js';
import { openCudaLibrary } from './library-search.js';
import type { Stream } from './stream.js';

/** The matrix library. It is column-major, so out = x · weightᵀ is outᵀ[n, m] = weightᵀᵀ · xᵀ to it. */
export interface CublasLt {
  readonly version: number;
  /** Enqueues the product. `algorithm` is an index into {@link algorithmCount}'s list; 0 is cuBLASLt's first choice. */
  matmul(stream: Stream, shape: MatmulShape, pointers: MatmulPointers, algorithm?: number): void;
  /** Number of algorithms that cuBLASLt's heuristic offers for the shape, at most 8. */
  algorithmCount(shape: MatmulShape): number;
  dispose(): void;
}

/** cublasLt.h: enumeration values and the size of cublasLtMatmulHeuristicResult_t (algo 64, workspace 8, state 4, waves 4, reserved 16). */
const COMPUTE_32F = 68;
const DATA_TYPE = { f32: 0, f16: 2, bf16: 14 } as const;
const DESC_TRANSA = 3;
const OP_T = 1;
const PREFERENCE_MAX_WORKSPACE_BYTES = 1;
/** CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_{A,B,C,D}_BYTES; without them cuBLASLt counts on 256. */
const PREFERENCE_MIN_ALIGNMENTS = [5, 6, 7, 8];
const OPERAND_ALIGNMENT_BYTES = 64;
const HEURISTIC_BYTES = 96;
const HEURISTIC_STATE_OFFSET = 72;
const MAX_ALGORITHMS = 8;

const PROTOTYPES = {
  cublasLtCreate: 'int cublasLtCreate(uint64_t handle)',
  cublasLtDestroy: 'int cublasLtDestroy(uint64_t handle)',
  cublasLtMatmulDescCreate: 'int cublasLtMatmulDescCreate(uint64_t descriptor, int compute, int scale)',
  cublasLtMatmulDescSetAttribute:
    'int cublasLtMatmulDescSetAttribute(uint64_t descriptor, int attribute, uint64_t value, size_t bytes)',
  cublasLtMatrixLayoutCreate:
    'int cublasLtMatrixLayoutCreate(uint64_t layout, int type, uint64_t rows, uint64_t columns, int64_t stride)',
  cublasLtMatmulPreferenceCreate: 'int cublasLtMatmulPreferenceCreate(uint64_t preference)',
  cublasLtMatmulPreferenceSetAttribute:
    'int cublasLtMatmulPreferenceSetAttribute(uint64_t preference, int attribute, uint64_t value, size_t bytes)',
  cublasLtMatmulAlgoGetHeuristic:
    'int cublasLtMatmulAlgoGetHeuristic(uint64_t handle, uint64_t descriptor, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t preference, int requested, uint64_t results, uint64_t returned)',
  cublasLtMatmul:
    'int cublasLtMatmul(uint64_t handle, uint64_t descriptor, uint64_t alpha, uint64_t a, uint64_t aLayout, uint64_t b, uint64_t bLayout, uint64_t beta, uint64_t c, uint64_t cLayout, uint64_t d, uint64_t dLayout, uint64_t algorithm, uint64_t workspace, size_t workspaceBytes, uint64_t stream)',
} as const;

type CallName = keyof typeof PROTOTYPES;

interface PreparedMatmul {
  readonly descriptor: number;
  readonly weightLayout: number;
  readonly xLayout: number;
  readonly outLayout: number;
  /** Heuristic results, HEURISTIC_BYTES each. */
  readonly algorithms: ArrayBuffer;
  readonly algorithmsAddress: number;
  readonly algorithmCount: number;
}

/** @param workspace device memory that the products may use; one stream at a time */
export function openCublasLt(
  workspace: { readonly address: number; readonly byteLength: number },
  libraryPath?: string,
): CublasLt {
  const library = openCudaLibrary('cublasLt', libraryPath);
  const functions = Object.fromEntries(
    Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.bind(prototype)]),
  ) as Record<CallName, NativeFunction>;
  const version = Number(library.bind('size_t cublasLtGetVersion()')());
  const call = (name: CallName, ...args: number[]): void => {
    const status = Number(functions[name](...args));
    if (status !== 0) throw new AloftError('DEVICE_FAILED', `${name} failed with cuBLAS status ${status}.`);
  };
  const scratch = new DataView(new ArrayBuffer(64));
  const scratchAddress = addressOf(scratch);
  const create = (name: CallName, ...args: number[]): number => {
    call(name, scratchAddress, ...args);
    return Number(scratch.getBigUint64(0, true));
  };
  const setInt32 = (name: CallName, handle: number, attribute: number, value: number): void => {
    scratch.setInt32(0, value, true);
    call(name, handle, attribute, scratchAddress, 4);
  };

  const handle = create('cublasLtCreate');
  const preference = create('cublasLtMatmulPreferenceCreate');
  scratch.setBigUint64(0, BigInt(workspace.byteLength), true);
  call('cublasLtMatmulPreferenceSetAttribute', preference, PREFERENCE_MAX_WORKSPACE_BYTES, scratchAddress, 8);
  for (const attribute of PREFERENCE_MIN_ALIGNMENTS)
    setInt32('cublasLtMatmulPreferenceSetAttribute', preference, attribute, OPERAND_ALIGNMENT_BYTES);
  const scalars = new DataView(new ArrayBuffer(64)); // alpha = 1 at 0, beta = 0 at 4
  scalars.setFloat32(0, 1, true);

  const prepare = ({ m, n, k, inputDtype, outputDtype }: MatmulShape): PreparedMatmul => {
    const descriptor = create('cublasLtMatmulDescCreate', COMPUTE_32F, DATA_TYPE.f32);
    setInt32('cublasLtMatmulDescSetAttribute', descriptor, DESC_TRANSA, OP_T);
    const weightLayout = create('cublasLtMatrixLayoutCreate', DATA_TYPE[inputDtype], k, n, k);
    const xLayout = create('cublasLtMatrixLayoutCreate', DATA_TYPE[inputDtype], k, m, k);
    const outLayout = create('cublasLtMatrixLayoutCreate', DATA_TYPE[outputDtype], n, m, n);
    const algorithms = new ArrayBuffer(HEURISTIC_BYTES * MAX_ALGORITHMS);
    const algorithmsAddress = addressOf(new Uint8Array(algorithms));
    scratch.setInt32(0, 0, true);
    call(
      'cublasLtMatmulAlgoGetHeuristic',
      ...[handle, descriptor, weightLayout, xLayout, outLayout, outLayout],
      ...[preference, MAX_ALGORITHMS, algorithmsAddress, scratchAddress],
    );
    const algorithmCount = scratch.getInt32(0, true);
    const state = new DataView(algorithms).getInt32(HEURISTIC_STATE_OFFSET, true);
    if (algorithmCount === 0 || state !== 0)
      throw new AloftError('DEVICE_FAILED', `cuBLASLt has no algorithm for [${m}, ${k}] x [${n}, ${k}]ᵀ.`);
    return { descriptor, weightLayout, xLayout, outLayout, algorithms, algorithmsAddress, algorithmCount };
  };
  const prepared = new Map<string, PreparedMatmul>();
  const preparedFor = (shape: MatmulShape): PreparedMatmul => {
    const key = `${shape.m},${shape.n},${shape.k},${shape.inputDtype},${shape.outputDtype}`;
    let found = prepared.get(key);
    if (found === undefined) prepared.set(key, (found = prepare(shape)));
    return found;
  };

  return {
    version,
    algorithmCount: (shape) => preparedFor(shape).algorithmCount,
    matmul(stream, shape, pointers, algorithm = 0) {
      const plan = preparedFor(shape);
      const scalarsAddress = addressOf(scalars); // asked each time, so that the collector keeps the buffer
      call(
        'cublasLtMatmul',
        ...[handle, plan.descriptor, scalarsAddress],
        ...[pointers.weight, plan.weightLayout, pointers.x, plan.xLayout, scalarsAddress + 4],
        ...[pointers.out, plan.outLayout, pointers.out, plan.outLayout],
        plan.algorithmsAddress + HEURISTIC_BYTES * Math.min(algorithm, plan.algorithmCount - 1),
        ...[workspace.address, workspace.byteLength, stream.handle],
      );
    },
    dispose: () => call('cublasLtDestroy', handle),
  };
}
