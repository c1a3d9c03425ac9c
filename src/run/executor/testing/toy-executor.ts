import { AloftError, invariant } from '../../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../../core/step.js';
import type { Executor, ExecutorLimits, MemoryBudget } from '../executor.js';
import { maskOf } from '../step-results.js';
import {
  beamScores,
  EMPTY_HISTORY,
  extendHistory,
  logSoftmax,
  sampleToy,
  topTokens,
  toyLogits,
} from './toy-model.js';

/** Content of a KV position that nothing was written to. Written ones are hashes >= 0. */
const UNWRITTEN = -1;
/** Content of a position whose token, or one before it, is `nanTokenId`. */
const BROKEN = -2;

export interface ToyExecutorOptions {
  readonly limits: ExecutorLimits;
  /** The step with this id fails with DEVICE_FAILED; undefined never fails. */
  readonly failingStepId?: number | undefined;
  /** Sequences have no finite logit from this token on. */
  readonly nanTokenId?: number | undefined;
  /** Results take this long, ms. 0 answers in the same turn. */
  readonly delayMs?: number | undefined;
}

type Command =
  | { readonly type: 'attach'; readonly state: SlotState }
  | { readonly type: 'detach'; readonly slot: number }
  | { readonly type: 'step'; readonly step: StepInput };

interface ToySlot {
  readonly state: SlotState;
  readonly outputTokenIds: number[];
}

/**
 * An executor for tests of everything above it. What it writes into the KV cache at a position is a hash of the token and
 * of all tokens before, as with a real model; the next token is a hash of the whole history as it is read *through the
 * block table*. So a wrong block, a missed copy, a stale slot or a prefix of another prompt changes the output. Like a
 * device it works through its commands late and in order: arrays of a submitted step must stay as they are until it is
 * collected. What is wrong in any case (unwritten KV, rows that are not independent) is an error.
 */
export class ToyExecutor implements Executor {
  readonly limits: ExecutorLimits;
  readonly memory: MemoryBudget;
  readonly #options: ToyExecutorOptions;
  readonly #kv: Int32Array; // [blocks, blockTokens] hash of the history up to the position
  readonly #hostKv: Int32Array; // [hostBlocks, blockTokens]
  /** [blocks, blockTokens] row of this step that wrote the position, in the step `writerSteps` */
  readonly #writerRows: Int32Array;
  readonly #writerSteps: Int32Array;
  /** Slots as the caller has attached them; `#slots` follows when the commands run. */
  readonly #attached = new Set<number>();
  readonly #slots = new Map<number, ToySlot>();
  readonly #commands: Command[] = [];
  /** The last step, if its masks have not come. */
  #unmasked: StepInput | undefined;

  constructor(options: ToyExecutorOptions) {
    const { limits } = options;
    this.limits = limits;
    this.#options = options;
    this.#kv = new Int32Array(limits.blockCount * limits.blockTokens).fill(UNWRITTEN);
    this.#hostKv = new Int32Array(limits.hostBlockCount * limits.blockTokens).fill(UNWRITTEN);
    this.#writerRows = new Int32Array(this.#kv.length);
    this.#writerSteps = new Int32Array(this.#kv.length).fill(-1);
    this.memory = toyMemory(this.#kv.byteLength, this.#hostKv.byteLength);
  }

  attachSlot(state: SlotState): void {
    const { slot } = state;
    invariant(!this.#attached.has(slot), () => `slot ${slot} is attached twice`);
    const { rowSlots, rowCount = 0 } = this.#unmasked ?? {};
    invariant(
      !rowSlots?.subarray(0, rowCount).includes(slot),
      () => `slot ${slot} is attached before its masks`,
    );
    this.#attached.add(slot);
    this.#commands.push({ type: 'attach', state });
  }

  detachSlot(slot: number): void {
    this.#attached.delete(slot);
    this.#commands.push({ type: 'detach', slot });
  }

  submit(step: StepInput): void {
    const { stepId, maskCount, masksFollow } = step;
    invariant(
      this.#unmasked === undefined,
      () => `step ${stepId} comes before the masks of the one before it`,
    );
    invariant(maskCount > 0 || !masksFollow, () => `step ${stepId} waits for masks and has none`);
    if (masksFollow) this.#unmasked = step;
    this.#commands.push({ type: 'step', step });
  }

  supplyMasks(stepId: number, masks: Int32Array): void {
    const step = this.#unmasked;
    invariant(step?.stepId === stepId, () => `step ${stepId} does not wait for masks`);
    const wordCount = step.maskCount * Math.ceil(this.limits.vocabulary / 32);
    invariant(masks.length >= wordCount, () => `${masks.length} words of masks for ${wordCount}`);
    this.#unmasked = undefined;
    const index = this.#commands.findIndex((command) => command.type === 'step' && command.step === step);
    this.#commands[index] = { type: 'step', step: { ...step, masks, masksFollow: false } };
  }

  async collect(): Promise<StepOutput> {
    const { delayMs = 0 } = this.#options;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const next = this.#commands.find((command) => command.type === 'step');
    invariant(
      next?.step.masksFollow !== true,
      () => `step ${next!.step.stepId} is collected before its masks`,
    );
    for (let command = this.#commands.shift(); command !== undefined; command = this.#commands.shift()) {
      if (command.type === 'step') return this.#run(command.step);
      if (command.type === 'attach') this.#attach(command.state);
      else this.#slots.delete(command.slot);
    }
    throw new AloftError('INTERNAL', 'collect() was called without a submitted step.');
  }

  async dispose(): Promise<void> {
    this.#commands.length = 0;
  }

  /** Whether a block holds the KV of the last tokens of `tokenIds`, a whole number of blocks. */
  holds(memory: 'device' | 'host', block: number, tokenIds: readonly number[]): boolean {
    const { blockTokens } = this.limits;
    const kv = memory === 'device' ? this.#kv : this.#hostKv;
    const content = kv.subarray(block * blockTokens, (block + 1) * blockTokens);
    let history = EMPTY_HISTORY;
    const expected = tokenIds.map((tokenId) => (history = extendHistory(history, tokenId) >>> 1));
    return expected.slice(-blockTokens).every((value, i) => value === content[i]);
  }

  #attach(state: SlotState): void {
    this.#slots.set(state.slot, { state, outputTokenIds: [...state.outputTokenIds] });
  }

  #run(step: StepInput): StepOutput {
    if (step.stepId === this.#options.failingStepId)
      throw new AloftError('DEVICE_FAILED', `The toy device failed at step ${step.stepId}, as it had to.`);
    this.#moveBlocks(step);
    for (let row = 0; row < step.rowCount; row++) this.#writeRow(step, row);
    const output = new ToyOutput(step, this.#topCount(step), this.limits.vocabulary);
    let logit = 0;
    for (let row = 0; row < step.rowCount; row++) logit = this.#answerRow(step, row, logit, output);
    invariant(logit === step.logitCount, () => `${step.logitCount - logit} logits lie outside their rows`);
    return output;
  }

  #moveBlocks(step: StepInput): void {
    const { blockTokens } = this.limits;
    const block = (kv: Int32Array, index: number) =>
      kv.subarray(index * blockTokens, (index + 1) * blockTokens);
    forPairs(step.blocksToHost, (device, host) => block(this.#hostKv, host).set(block(this.#kv, device)));
    forPairs(step.blocksFromHost, (device, host) => block(this.#kv, device).set(block(this.#hostKv, host)));
    const sources = new Set(step.blockCopies.filter((_, i) => i % 2 === 0));
    forPairs(step.blockCopies, (from, to) => {
      invariant(!sources.has(to), () => `block ${to} is both source and destination of copies`);
      block(this.#kv, to).set(block(this.#kv, from));
    });
  }

  /** Where position `position` of `row` lies in the cache. */
  #address(step: StepInput, row: number, position: number): number {
    const { blockTokens, blockCount } = this.limits;
    const block =
      step.blockTables[row * step.maxBlocksPerSequence + Math.floor(position / blockTokens)] ?? -1;
    invariant(block >= 0 && block < blockCount, () => `row ${row} has no block for position ${position}`);
    return block * blockTokens + (position % blockTokens);
  }

  #writeRow(step: StepInput, row: number): void {
    const start = step.rowOffsets[row]!;
    const end = step.rowOffsets[row + 1]!;
    invariant(end > start, () => `row ${row} has no tokens`);
    for (let token = start; token < end; token++) {
      const position = step.positions[start]! + token - start;
      invariant(step.positions[token] === position, () => `positions of row ${row} are not contiguous`);
      const address = this.#address(step, row, position);
      invariant(
        this.#writerSteps[address] !== step.stepId,
        () => `rows ${row} and ${this.#writerRows[address]} write the same KV position`,
      );
      this.#writerSteps[address] = step.stepId;
      this.#writerRows[address] = row;
      const before = position === 0 ? EMPTY_HISTORY : this.#read(step, row, position - 1);
      const tokenId = this.#tokenOf(step, row, token);
      const isBroken = before === BROKEN || tokenId === this.#options.nanTokenId;
      this.#kv[address] = isBroken ? BROKEN : extendHistory(before, tokenId) >>> 1;
    }
    invariant(
      step.contextLengths[row] === step.positions[end - 1]! + 1,
      () => `context length of row ${row} is not its last position + 1`,
    );
  }

  #tokenOf(step: StepInput, row: number, token: number): number {
    const given = step.tokenIds[token]!;
    if (given >= 0) return given;
    const last = this.#slotOf(step.rowSlots[row]!).outputTokenIds.at(-1);
    invariant(last !== undefined, () => `row ${row} feeds back a token, but its slot has sampled none`);
    return last;
  }

  #slotOf(slot: number): ToySlot {
    const found = this.#slots.get(slot);
    invariant(found !== undefined, () => `slot ${slot} is not attached`);
    return found;
  }

  /** Reads the history of `row` and answers its logits, from `firstLogit` on. @returns the next row's first logit */
  #answerRow(step: StepInput, row: number, firstLogit: number, output: ToyOutput): number {
    const end = step.rowOffsets[row + 1]!;
    const base = end - step.contextLengths[row]!; // token index of position 0
    let history = EMPTY_HISTORY;
    let logit = firstLogit;
    for (let position = 0; logit < step.logitCount && step.logitTokens[logit]! < end; position++) {
      const content = this.#read(step, row, position);
      history = content === BROKEN ? BROKEN : extendHistory(history, content);
      if (step.logitTokens[logit] !== base + position) continue;
      invariant(step.logitRows[logit] === row, () => `logit ${logit} names row ${step.logitRows[logit]}`);
      this.#answer(step, logit++, history, position, output);
    }
    return logit;
  }

  #read(step: StepInput, row: number, position: number): number {
    const address = this.#address(step, row, position);
    const content = this.#kv[address]!;
    invariant(content !== UNWRITTEN, () => `row ${row} reads position ${position}, which was never written`);
    invariant(
      this.#writerSteps[address] !== step.stepId || this.#writerRows[address] === row,
      () => `row ${row} reads what row ${this.#writerRows[address]} writes in the same step`,
    );
    return content;
  }

  #answer(step: StepInput, logit: number, history: number, position: number, output: ToyOutput): void {
    const { state, outputTokenIds } = this.#slotOf(step.rowSlots[step.logitRows[logit]!]!);
    const isBroken = history === BROKEN;
    const { vocabulary } = this.limits;
    const logits = isBroken ? new Float32Array(vocabulary).fill(NaN) : toyLogits(history, vocabulary);
    const target = step.logitTargets[logit]!;
    output.setLogits(logit, logits);
    if (target >= 0) {
      output.set(logit, target, state.sampling.promptLogprobs, () => logSoftmax(logits));
      return;
    }
    const mask = maskOf(step, logit, vocabulary);
    invariant(
      mask === undefined || mask.some((word) => word !== 0),
      () => `mask of logit ${logit} allows nothing`,
    );
    const current = { ...state, outputTokenIds: Int32Array.from(outputTokenIds), mask };
    const scores = () => (state.isBeam ? beamScores(logits, current) : logSoftmax(logits));
    const tokenId = isBroken ? -1 : sampleToy(logits, current, position);
    outputTokenIds.push(Math.max(0, tokenId));
    if (isBroken) {
      output.set(logit, tokenId, undefined, scores);
      return;
    }
    output.set(logit, tokenId, state.sampling.logprobs, scores);
  }

  #topCount(step: StepInput): number {
    let count = 0;
    for (let logit = 0; logit < step.logitCount; logit++) {
      const { sampling } = this.#slotOf(step.rowSlots[step.logitRows[logit]!]!).state;
      const asked = step.logitTargets[logit]! >= 0 ? sampling.promptLogprobs : sampling.logprobs;
      count = Math.max(count, asked ?? 0);
    }
    return count;
  }
}

class ToyOutput implements StepOutput {
  readonly stepId: number;
  readonly logitCount: number;
  readonly topCount: number;
  readonly tokenIds: Int32Array;
  readonly logprobs: Float32Array;
  readonly topTokenIds: Int32Array;
  readonly topLogprobs: Float32Array;
  readonly logits: Float32Array | undefined;
  readonly deviceMs = 0;
  readonly idleMs = 0;

  constructor(step: StepInput, topCount: number, vocabulary: number) {
    this.stepId = step.stepId;
    this.logitCount = step.logitCount;
    this.topCount = topCount;
    this.tokenIds = new Int32Array(step.logitCount);
    this.logprobs = new Float32Array(step.logitCount).fill(NaN);
    this.topTokenIds = new Int32Array(step.logitCount * topCount).fill(-1);
    this.topLogprobs = new Float32Array(step.logitCount * topCount);
    this.logits = step.returnLogits ? new Float32Array(step.logitCount * vocabulary) : undefined;
  }

  setLogits(logit: number, logits: Float32Array): void {
    this.logits?.set(logits, logit * logits.length);
  }

  /** @param scores what is reported of all tokens, if anything is */
  set(logit: number, tokenId: number, askedCount: number | undefined, scores: () => Float64Array): void {
    this.tokenIds[logit] = tokenId;
    if (askedCount === undefined) return;
    const logprobs = scores();
    this.logprobs[logit] = logprobs[tokenId]!;
    for (const [rank, token] of topTokens(logprobs, askedCount).entries()) {
      this.topTokenIds[logit * this.topCount + rank] = token;
      this.topLogprobs[logit * this.topCount + rank] = logprobs[token]!;
    }
  }
}

function forPairs(pairs: Int32Array, visit: (first: number, second: number) => void): void {
  for (let i = 0; i < pairs.length; i += 2) visit(pairs[i]!, pairs[i + 1]!);
}

function toyMemory(kvBytes: number, hostKvBytes: number): MemoryBudget {
  return {
    totalBytes: kvBytes,
    weightBytes: 0,
    workspaceBytes: 0,
    kvBytes,
    kvBytesPerToken: Int32Array.BYTES_PER_ELEMENT,
    hostKvBytes,
  };
}

/** Lets engine threads load this module. @param options ToyExecutorOptions */
export async function openExecutor(options: unknown): Promise<Executor> {
  return new ToyExecutor(options as ToyExecutorOptions);
}
