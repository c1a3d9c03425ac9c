import { readFileSync } from 'node:fs';
import type { WeightName } from '../plan/plan.js';
import type { PackReport } from '../device/weight-layout.js';
import type { EngineManifest } from '../engine/manifest.js';
import { MODEL_PARTS, type ModelPart, partOf } from './model-parts.js';

interface PartReport {
  readonly part: ModelPart;
  /** Bytes in the engine, over all ranks. */
  readonly bytes: number;
  /** Root mean square of what storing changed, relative to the weights' own; 0 where nothing changed. */
  readonly relativeError: number;
}

export interface BuildReport {
  readonly directory: string;
  readonly manifest: EngineManifest;
  readonly parts: readonly PartReport[];
  readonly seconds: number;
  /** Largest anonymous memory seen while a weight was packed; mapped checkpoint pages, which the system can drop, not counted. */
  readonly peakAnonymousBytes: number;
}

interface PartSums {
  bytes: number;
  squaredError: number;
  squaredSum: number;
}

/** Sums up a build while it runs. */
export class BuildTally {
  readonly #startMs = performance.now();
  readonly #parts = new Map<ModelPart, PartSums>(
    MODEL_PARTS.map((part) => [part, { bytes: 0, squaredError: 0, squaredSum: 0 }]),
  );
  #peakAnonymousBytes = 0;

  addBytes(name: WeightName, bytes: number): void {
    this.#parts.get(partOf(name))!.bytes += bytes;
  }

  addError(name: WeightName, report: PackReport): void {
    const part = this.#parts.get(partOf(name))!;
    part.squaredError += report.squaredError;
    part.squaredSum += report.squaredSum;
  }

  /** Looks at the process's memory. Call while buffers are in use. */
  sampleMemory(): void {
    this.#peakAnonymousBytes = Math.max(this.#peakAnonymousBytes, anonymousBytes());
  }

  finish(directory: string, manifest: EngineManifest): BuildReport {
    return {
      directory,
      manifest,
      parts: Array.from(this.#parts, ([part, { bytes, squaredError, squaredSum }]) => ({
        part,
        bytes,
        relativeError: squaredSum > 0 ? Math.sqrt(squaredError / squaredSum) : 0,
      })),
      seconds: (performance.now() - this.#startMs) / 1000,
      peakAnonymousBytes: this.#peakAnonymousBytes,
    };
  }
}

/** Anonymous resident memory of this process now. Source: proc(5), RssAnon. */
function anonymousBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return match === null ? 0 : Number(match[1]) * 1024;
}
