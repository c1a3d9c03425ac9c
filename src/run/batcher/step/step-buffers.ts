import type { StepStats } from '../../../core/batcher-stats.js';
import type { StepInput } from '../../../core/step.js';
import type { KvCache } from '../../kv/kv-cache.js';
import type { SchedulerLimits } from '../../scheduler/scheduler-limits.js';
import type { Sequence } from '../../scheduler/sequence.js';
import type { RowList, StepPlan } from '../../scheduler/step-plan.js';
import type { RequestSequence } from '../request/request-run.js';
import type { SlotTable } from './slot-table.js';

/** Largest step that buffers must hold. */
export type StepCapacity = Pick<SchedulerLimits, 'maxSequenceCount' | 'maxStepTokens' | 'maxStepLogits'>;

type RowStats = Pick<
  StepStats,
  'tokenCount' | 'decodeRowCount' | 'prefillRowCount' | 'prefixHitTokens' | 'preemptionCount'
>;

/**
 * The arrays of one step, filled again and again. Together with them it remembers whose results the step will bring.
 * A submitted step must not be filled until it is collected, so the batcher has one more of these than steps in flight.
 */
export class StepBuffers implements StepInput {
  stepId = 0;
  tokenCount = 0;
  rowCount = 0;
  logitCount = 0;
  maskCount = 0;
  masksFollow = false;
  returnLogits = false;
  #decodeRowCount = 0;
  #prefixHitTokens = 0;
  #preemptionCount = 0;
  readonly tokenIds: Int32Array;
  readonly positions: Int32Array;
  readonly rowOffsets: Int32Array;
  readonly rowSlots: Int32Array;
  readonly contextLengths: Int32Array;
  readonly blockTables: Int32Array;
  readonly maxBlocksPerSequence: number;
  readonly logitTokens: Int32Array;
  readonly logitRows: Int32Array;
  readonly logitTargets: Int32Array;
  readonly logitMasks: Int32Array;
  /** Grows with the first steps that have constrained rows. */
  masks = new Int32Array(0);
  blockCopies: Int32Array = NO_PAIRS;
  blocksToHost: Int32Array = NO_PAIRS;
  blocksFromHost: Int32Array = NO_PAIRS;
  /** [rows] whose row it is, and its group's epoch. */
  readonly #rowRuns: (RequestSequence | undefined)[] = [];
  readonly #rowEpochs: Int32Array;
  /** [rows] what the row of `blockTables` holds: the version of a table, and how much of it. */
  readonly #rowVersions: Float64Array;
  readonly #rowBlockCounts: Int32Array;

  constructor(shape: StepCapacity, maxBlocksPerSequence: number) {
    this.maxBlocksPerSequence = maxBlocksPerSequence;
    this.tokenIds = new Int32Array(shape.maxStepTokens);
    this.positions = new Int32Array(shape.maxStepTokens);
    this.rowOffsets = new Int32Array(shape.maxSequenceCount + 1);
    this.rowSlots = new Int32Array(shape.maxSequenceCount);
    this.contextLengths = new Int32Array(shape.maxSequenceCount);
    this.blockTables = new Int32Array(shape.maxSequenceCount * maxBlocksPerSequence).fill(-1);
    this.logitTokens = new Int32Array(shape.maxStepLogits);
    this.logitRows = new Int32Array(shape.maxStepLogits);
    this.logitTargets = new Int32Array(shape.maxStepLogits);
    this.logitMasks = new Int32Array(shape.maxStepLogits);
    this.#rowEpochs = new Int32Array(shape.maxSequenceCount);
    this.#rowVersions = new Float64Array(shape.maxSequenceCount);
    this.#rowBlockCounts = new Int32Array(shape.maxSequenceCount);
  }

  fill(stepId: number, plan: StepPlan, kv: KvCache, slots: SlotTable): void {
    this.stepId = stepId;
    this.tokenCount = 0;
    this.rowCount = 0;
    this.logitCount = 0;
    this.maskCount = 0;
    this.masksFollow = false;
    this.returnLogits = false;
    this.#decodeRowCount = plan.decodeRows.length;
    this.#prefixHitTokens = plan.prefixHitTokens;
    this.#preemptionCount = plan.preemptedGroupCount;
    this.#addRows(plan.decodeRows, kv, slots);
    this.#addRows(plan.prefillRows, kv, slots);
    this.rowOffsets[this.rowCount] = this.tokenCount;
    this.blocksToHost = kv.takeSaves();
    this.blocksFromHost = kv.takeLoads();
    this.blockCopies = kv.takeCopies();
    if (!this.masksFollow) this.writeMasks();
  }

  /** Writes what each constrained row may sample; all tokens before it must be known. */
  writeMasks(): void {
    if (this.maskCount === 0) return;
    for (let logit = 0; logit < this.logitCount; logit++) {
      const mask = this.logitMasks[logit]!;
      if (mask >= 0) this.#writeMask(this.runOfLogit(logit), mask);
    }
  }

  /** Composition of the step, for statistics. */
  rowStats(): RowStats {
    return {
      tokenCount: this.tokenCount,
      decodeRowCount: this.#decodeRowCount,
      prefillRowCount: this.rowCount - this.#decodeRowCount,
      prefixHitTokens: this.#prefixHitTokens,
      preemptionCount: this.#preemptionCount,
    };
  }

  runOfLogit(logit: number): RequestSequence {
    return this.#rowRuns[this.logitRows[logit]!]!;
  }

  epochOfLogit(logit: number): number {
    return this.#rowEpochs[this.logitRows[logit]!]!;
  }

  /** Lets go of the runs once their results are read. */
  release(): void {
    this.#rowRuns.fill(undefined, 0, this.rowCount);
  }

  #addRows(rows: RowList, kv: KvCache, slots: SlotTable): void {
    for (let i = 0; i < rows.length; i++) {
      const sequence = rows.sequence(i);
      const row = this.rowCount++;
      const count = rows.counts.at(i);
      const run = slots.runAt(sequence.slot);
      this.#rowRuns[row] = run;
      this.#rowEpochs[row] = sequence.group.epoch;
      this.rowSlots[row] = sequence.slot;
      this.#addTokens(row, sequence, rows.starts.at(i), count);
      this.#copyTable(row, sequence, kv);
      const firstToken = this.rowOffsets[row]!;
      if (rows.scoreCounts.at(i) > 0) this.#addScores(row, run, rows.starts.at(i), rows.scoreCounts.at(i));
      if (rows.samples.at(i) === 1) this.#addSample(row, run, firstToken + count - 1);
    }
  }

  #addTokens(row: number, sequence: Sequence, start: number, count: number): void {
    const { tokens, knownCount } = sequence;
    this.rowOffsets[row] = this.tokenCount;
    this.contextLengths[row] = start + count;
    for (let position = start; position < start + count; position++) {
      // A token beyond the known ones is still on the device: the last that was sampled for the slot.
      this.tokenIds[this.tokenCount] = position < knownCount ? tokens[position]! : -1;
      this.positions[this.tokenCount++] = position;
    }
  }

  /** Tables grow by a block now and then, so most of a row is there from the last time. */
  #copyTable(row: number, { slot }: Sequence, kv: KvCache): void {
    const { tables } = kv;
    const count = tables.count(slot);
    const heldCount = this.#rowBlockCounts[row]!;
    const isSameTable = this.#rowVersions[row] === tables.version(slot);
    const base = row * this.maxBlocksPerSequence;
    for (let i = isSameTable ? heldCount : 0; i < count; i++) this.blockTables[base + i] = tables.at(slot, i);
    for (let i = count; i < heldCount; i++) this.blockTables[base + i] = -1;
    this.#rowVersions[row] = tables.version(slot);
    this.#rowBlockCounts[row] = count;
  }

  #addScores(row: number, run: RequestSequence, start: number, count: number): void {
    const firstToken = this.rowOffsets[row]!;
    for (let i = 0; i < count; i++) this.#addLogit(row, firstToken + i, run.sequence.tokens[start + i + 1]!);
    this.returnLogits ||= run.request.tokens.returnContextLogits;
  }

  #addSample(row: number, run: RequestSequence, token: number): void {
    this.#addLogit(row, token, -1);
    if (run.constraint !== undefined) this.logitMasks[this.logitCount - 1] = this.maskCount++;
    // Another sample is on its way before this one, and the constraint goes on from it.
    if (run.constraint !== undefined && run.sequence.inFlightCount > 1) this.masksFollow = true;
    const { promptScores, tokens } = run.request;
    const endsPrompt = promptScores !== undefined && !promptScores.isEmitted;
    this.returnLogits ||= tokens.returnGenerationLogits || (endsPrompt && tokens.returnContextLogits);
  }

  #addLogit(row: number, token: number, target: number): void {
    this.logitTokens[this.logitCount] = token;
    this.logitRows[this.logitCount] = row;
    this.logitMasks[this.logitCount] = -1;
    this.logitTargets[this.logitCount++] = target;
  }

  #writeMask({ request, sequence, constraint }: RequestSequence, mask: number): void {
    const { maskWords } = constraint!;
    const start = mask * maskWords;
    const neededWords = this.maskCount * maskWords;
    if (this.masks.length < neededWords)
      this.masks = new Int32Array(Math.max(neededWords, 2 * this.masks.length));
    // A row that has ended since it was submitted is thrown away, whatever it samples.
    if (request.isOver || sequence.isFinished) this.masks.fill(-1, start, start + maskWords);
    else constraint!.writeMask(this.masks, start);
  }
}

const NO_PAIRS = new Int32Array(0);
