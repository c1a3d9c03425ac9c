import type { StepInput, StepOutput } from '../../../core/step.js';
import type { Executor } from '../../executor/executor.js';

/** A device that answers every step at once with the same token: what is left is the cost of the host. */
export class NullExecutor implements Executor {
  readonly limits;
  readonly memory = {
    totalBytes: 0,
    weightBytes: 0,
    workspaceBytes: 0,
    kvBytes: 0,
    kvBytesPerToken: 0,
    hostKvBytes: 0,
  };
  readonly #outputs: StepOutput[];
  readonly #submitted: StepInput[] = [];

  constructor(rowCount: number, sequenceTokens: number) {
    const blockTokens = 16;
    this.limits = {
      maxStepTokens: rowCount + 2048,
      maxRows: rowCount,
      maxLogits: rowCount,
      blockTokens,
      blockCount: rowCount * Math.ceil(sequenceTokens / blockTokens),
      hostBlockCount: 0,
      maxSequenceTokens: 4096,
      vocabulary: 32_000,
    };
    const tokenIds = new Int32Array(rowCount).fill(17);
    this.#outputs = Array.from({ length: rowCount + 1 }, (_, logitCount) => ({
      stepId: 0,
      logitCount,
      tokenIds,
      logprobs: new Float32Array(0),
      topCount: 0,
      topTokenIds: new Int32Array(0),
      topLogprobs: new Float32Array(0),
      logits: undefined,
      deviceMs: 0,
      idleMs: 0,
    }));
  }

  attachSlot(): void {}

  detachSlot(): void {}

  submit(step: StepInput): void {
    this.#submitted.push(step);
  }

  supplyMasks(): void {}

  async collect(): Promise<StepOutput> {
    const { stepId, logitCount } = this.#submitted.shift()!;
    return Object.assign(this.#outputs[logitCount]!, { stepId });
  }

  async dispose(): Promise<void> {}
}

/** Lets engine threads load this module. @param options row count and tokens per sequence */
export async function openExecutor(options: unknown): Promise<Executor> {
  const { rowCount, sequenceTokens } = options as {
    readonly rowCount: number;
    readonly sequenceTokens: number;
  };
  return new NullExecutor(rowCount, sequenceTokens);
}
