import type { SlotState, StepInput } from '../../core/step.js';
import type { RankGroup } from '../../device/cpu/rank-group.js';
import type { RankSender } from './rank-channel.js';
import { attachmentOf, CLOSE, echoOf, PREPARE, type SlotChange, stepParts, TIMES } from './step-message.js';

/** Sends what rank 0 runs to the other ranks. Changes of slots wait for the next step: they matter to nothing before. */
export class StepBroadcast {
  readonly #sender: RankSender;
  readonly #group: RankGroup;
  #changes: SlotChange[] = [];
  #sent: StepInput | undefined;

  constructor(sender: RankSender, group: RankGroup) {
    this.#sender = sender;
    this.#group = group;
  }

  attach(state: SlotState): void {
    this.#changes.push(attachmentOf(state));
  }

  detach(slot: number): void {
    this.#changes.push({ slot, promptTokens: undefined });
  }

  /** Sends a step that rank 0 is about to run. @throws {AloftError} RANK_DIED, RANK_LATE, RANK_DIVERGED */
  readonly announce = (step: StepInput, tokenIds: Int32Array): void => {
    this.#sent = step;
    this.#sender.send(stepParts(step, tokenIds, this.#changes));
    this.#changes = [];
  };

  /** Called when rank 0 has run a step: the others must have run the same. */
  finish(step: StepInput, launch: number | undefined): void {
    this.#sent = undefined;
    this.#sender.expect(echoOf(step, this.#group.round, launch));
  }

  /** Whether the other ranks were sent a step that rank 0 has not finished. */
  get isInStep(): boolean {
    return this.#sent !== undefined;
  }

  /** Lets the other ranks prepare steps, while this one does. @throws {AloftError} as {@link announce} */
  prepare(): void {
    this.#sender.send([Int32Array.of(PREPARE)]);
  }

  /** Lets the other ranks exchange the times of their ops. @throws {AloftError} as {@link announce} */
  askTimes(opCount: number): void {
    this.#sender.send([Int32Array.of(TIMES, opCount)]);
  }

  /** Lets the other ranks end. @throws {AloftError} as {@link announce} */
  close(): void {
    this.#sender.send([Int32Array.of(CLOSE)]);
  }
}
