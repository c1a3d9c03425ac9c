import type { StepOutput } from '../../../core/step.js';
import type { Sequence, SequenceGroup } from '../../scheduler/sequence.js';
import type { ConstraintRun } from './constraint-run.js';
import type { BeamCandidates, BeamChoice, BeamSearch } from './beam-search.js';

/** After a result: others are awaited, or the beams have changed, or the search is over. */
export type BeamProgress = 'waits' | 'movedOn' | 'isOver';

/** A beam's state of the request's constraint. */
interface ConstrainedBeam {
  constraint: ConstraintRun | undefined;
}

/** Connects a beam search with the sequences that compute it: waits for the results of all beams, then moves them on. */
export class BeamRun {
  readonly #search: BeamSearch;
  readonly #group: SequenceGroup;
  readonly #beams: readonly ConstrainedBeam[];
  /** [beams] results of the beams that have one. */
  readonly #results: (BeamCandidates | undefined)[];
  /** The group's epoch when `results` came; others are void, because the KV they belong to is gone. */
  #resultsEpoch = 0;

  /** @param beams constraints of the beams, which move on with their histories */
  constructor(search: BeamSearch, group: SequenceGroup, beams: readonly ConstrainedBeam[]) {
    this.#beams = beams;
    this.#search = search;
    this.#group = group;
    this.#results = group.sequences.map(() => undefined);
  }

  /**
   * Takes the result of one beam.
   * @param epoch of the group when the step was submitted
   */
  accept(sequence: Sequence, epoch: number, output: StepOutput, logit: number): BeamProgress {
    if (epoch !== this.#group.epoch) return 'waits';
    if (epoch !== this.#resultsEpoch) this.#results.fill(undefined);
    this.#resultsEpoch = epoch;
    this.#results[sequence.index] = candidatesAt(output, logit);
    const beams = this.#group.sequences.filter(({ isActive }) => isActive);
    if (beams.some(({ index }) => this.#results[index] === undefined)) return 'waits';
    const outputs = beams.map(({ tokens, promptCount, knownCount }) =>
      tokens.subarray(promptCount, knownCount),
    );
    const choice = this.#search.advance(
      outputs,
      beams.map(({ index }) => this.#results[index]!),
    );
    this.#results.fill(undefined);
    if (choice === undefined) return 'isOver';
    this.#moveOn(choice);
    return 'movedOn';
  }

  #moveOn({ parents, tokenIds }: BeamChoice): void {
    const { sequences } = this.#group;
    const { knownCount } = sequences[0]!;
    const histories = parents.map((parent) => sequences[parent]!.tokens.slice());
    const constraints = parents.map((parent) => this.#beams[parent]!.constraint?.fork());
    for (const [i, sequence] of sequences.entries()) {
      constraints[i]?.accept(tokenIds[i]!);
      this.#beams[i]!.constraint = constraints[i];
      sequence.tokens = histories[i]!;
      sequence.knownCount = knownCount;
      sequence.append(tokenIds[i]!);
    }
    const isUnchanged = this.#group.isForked && parents.every((parent, i) => parent === i);
    this.#group.isSpread = true;
    this.#group.parents = isUnchanged ? undefined : parents;
  }
}

function candidatesAt(output: StepOutput, logit: number): BeamCandidates {
  const start = logit * output.topCount;
  const end = start + output.topCount;
  const firstUnused = output.topTokenIds.subarray(start, end).indexOf(-1);
  const stop = firstUnused < 0 ? end : start + firstUnused;
  return {
    tokenIds: output.topTokenIds.slice(start, stop),
    logprobs: output.topLogprobs.slice(start, stop),
  };
}
