/** For tests and benchmarks: a model's weights packed as an engine for the CPU would hold them. */
import { tensorBytes } from '../../../core/dtype.js';
import { createCpuWeightLayout } from '../../../device/cpu/cpu-weight-layout.js';
import type { CpuPool } from '../../../device/cpu/kernel-library.js';
import { allocateHost } from '../../../ffi/memory.js';
import type { Plan } from '../../../plan/plan.js';
import { weightRoles } from '../../../plan/validate.js';
import type { LogicalWeight } from '../reference/reference-rank.js';

export interface PackedModel {
  readonly weightBytes: number;
  readonly tensorAddress: (name: string) => number;
  /** The bytes of a packed tensor. */
  readonly bytes: (name: string) => Uint8Array;
  dispose(): void;
}

export function packForCpu(plan: Plan, weight: (name: string) => LogicalWeight, pool: CpuPool): PackedModel {
  const layout = createCpuWeightLayout(pool);
  const areas = [...weightRoles(plan)].flatMap(([name, role]) => {
    const specs = layout.specs(name, plan.weights[name]!, role);
    const targets = specs.map((spec) => ({
      name: spec.name,
      area: allocateHost(tensorBytes(spec.dtype, spec.shape)),
    }));
    const { data, shape } = weight(name);
    const source = {
      dtype: 'f32',
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    } as const;
    layout.pack(
      { kind: 'dense', tensor: source },
      plan.weights[name]!,
      role,
      targets.map(({ area }) => area.bytes(0, area.byteLength)),
    );
    return targets;
  });
  const byName = new Map(areas.map(({ name, area }) => [name, area]));
  return {
    weightBytes: areas.reduce((sum, { area }) => sum + area.byteLength, 0),
    tensorAddress: (name) => byName.get(name)!.address,
    bytes(name) {
      const area = byName.get(name)!;
      return area.bytes(0, area.byteLength);
    },
    dispose() {
      for (const { area } of areas) area.dispose();
    },
  };
}
