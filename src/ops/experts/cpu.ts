/** The native functions of mixtures of experts; all operands by address. */
import type { NativeLibrary } from '../../ffi/library.js';
import { elementOf, type WeightFormat } from '../../plan/weight-format.js';
import { groupSize, LINEAR_FORMAT_CODE, type PackedAddresses } from '../linear/cpu/packed-linear.js';

export interface RouteSize {
  readonly expertCount: number;
  readonly expertsPerToken: number;
  readonly isNormalised: boolean;
}

/** logits [tokenCount, experts] f32, out [tokenCount, 2 * expertsPerToken] f32 */
type CpuRoute = (tokenCount: number, logits: number, out: number) => void;

export function bindRoute(library: NativeLibrary, pool: number): (size: RouteSize) => CpuRoute {
  const run = library.bind(
    'void aloft_route(uint64_t pool, uint64_t logits, uint64_t out, int64_t tokens, int64_t experts, int64_t perToken, int normalises)',
  );
  return ({ expertCount, expertsPerToken, isNormalised }) => {
    const normalises = isNormalised ? 1 : 0;
    return (tokenCount, logits, out) => {
      run(pool, logits, out, tokenCount, expertCount, expertsPerToken, normalises);
    };
  };
}

/** Packed matrices of all experts, one after another, each of whole tiles. */
export interface CpuExpertWeights extends PackedAddresses {
  readonly format: WeightFormat;
  readonly inCount: number;
  /** Columns of an expert's result: half of its rows for gate and up. */
  readonly outCount: number;
  readonly expertCount: number;
  readonly expertsPerToken: number;
}

/** x [tokenCount, in] f32 (of `down` [tokenCount, expertsPerToken * in]), routes of {@link CpuRoute}, out f32 */
type CpuExperts = (tokenCount: number, x: number, routes: number, out: number) => void;

type BindExperts = (library: NativeLibrary, pool: number) => (weights: CpuExpertWeights) => CpuExperts;

const binder =
  (name: string): BindExperts =>
  (library, pool) => {
    const run = library.bind(
      `void ${name}(uint64_t pool, uint64_t x, uint64_t routes, int format, int64_t group, uint64_t weight, uint64_t scale, uint64_t sum, uint64_t zero, uint64_t out, int64_t tokens, int64_t in, int64_t columns, int64_t experts, int64_t perToken)`,
    );
    return ({ format, inCount, outCount, expertCount, expertsPerToken, weight, scale, sum, zero }) => {
      const [code, group] = [LINEAR_FORMAT_CODE[elementOf(format)], groupSize(format)];
      return (tokens, x, routes, out) => {
        run(
          pool,
          x,
          routes,
          code,
          group,
          weight,
          scale,
          sum,
          zero,
          out,
          tokens,
          inCount,
          outCount,
          expertCount,
          expertsPerToken,
        );
      };
    };
  };

export const bindExpertGateUp = binder('aloft_expert_gate_up');
export const bindExpertDown = binder('aloft_expert_down');
