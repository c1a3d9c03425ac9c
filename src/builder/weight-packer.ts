import { tensorBytes } from '../core/dtype.js';
import type { PackedTensorSpec, PackReport, WeightLayout, WeightUse } from '../device/weight-layout.js';
import type { EngineWriter } from '../engine/engine-writer.js';
import { allocateHost } from '../ffi/memory.js';
import type { Plan, WeightName } from '../plan/plan.js';
import { weightRoles } from '../plan/validate.js';
import type { BuildTally } from './build-report.js';
import type { TensorSource } from './checkpoint/checkpoint.js';
import { useWeight } from './weight-reader.js';

/** Brings the weights of all ranks into the device's layout. */
export class WeightPacker {
  /** In the order of the plan; rank 0 has every weight. */
  readonly weights: readonly WeightName[];
  readonly #tensors: TensorSource;
  readonly #layout: WeightLayout;
  readonly #plans: readonly Plan[];
  readonly #uses: ReadonlyMap<WeightName, WeightUse>;

  /** @param plans one per rank */
  constructor(tensors: TensorSource, layout: WeightLayout, plans: readonly Plan[]) {
    this.#tensors = tensors;
    this.#layout = layout;
    this.#plans = plans;
    this.#uses = weightRoles(plans[0]!);
    this.weights = Object.keys(plans[0]!.weights);
  }

  /** Tensors of a rank's file, in the order in which `pack` makes them. */
  specs(rank: number): readonly PackedTensorSpec[] {
    return this.weights.flatMap((name) => this.#specsOf(name, rank));
  }

  /** Reads, packs and writes one weight for every rank that has it. Its memory is freed before the next. */
  pack(name: WeightName, writer: EngineWriter, tally: BuildTally): void {
    for (const rank of this.#plans.keys()) {
      const specs = this.#specsOf(name, rank);
      const areas = specs.map(({ dtype, shape }) => allocateHost(tensorBytes(dtype, shape)));
      const targets = areas.map((area) => area.bytes(0, area.byteLength));
      try {
        const report = this.#fill(name, rank, targets, tally);
        for (const [index, spec] of specs.entries()) {
          writer.write(rank, spec.name, targets[index]!);
          tally.addBytes(name, targets[index]!.length);
        }
        tally.addError(name, report);
      } finally {
        for (const area of areas) area.dispose();
      }
    }
  }

  #fill(name: WeightName, rank: number, targets: readonly Uint8Array[], tally: BuildTally): PackReport {
    const weight = this.#plans[rank]!.weights[name];
    if (weight === undefined) return { squaredError: 0, squaredSum: 0 };
    return useWeight(this.#tensors, weight, (data) => {
      const report = this.#layout.pack(data, weight, this.#uses.get(name)!, targets);
      tally.sampleMemory();
      return report;
    });
  }

  #specsOf(name: WeightName, rank: number): readonly PackedTensorSpec[] {
    const weight = this.#plans[rank]!.weights[name];
    return weight === undefined ? [] : this.#layout.specs(name, weight, this.#uses.get(name)!);
  }
}
