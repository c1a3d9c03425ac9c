/** Reads result files, and refuses those from which no figure may be taken. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { byText } from './format.mjs';

/** A result, or a part of one, that no figure may be taken from. */
export class Refusal extends Error {}

/** Every result file below a folder, with its path relative to that folder. */
export function readResults(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith('.json'))
    .toSorted(byText)
    .map((path) => ({ path, data: JSON.parse(readFileSync(join(folder, path), 'utf8')) }));
}

/** Every commit that a result names, at any depth. */
function commitsIn(value) {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'commit' && typeof inner === 'string' ? [inner] : commitsIn(inner),
  );
}

/**
 * The one commit of a result.
 * @throws {Refusal} it names none, several, or one whose tree had changes
 */
export function commitOf({ path, data }) {
  const commits = [...new Set(commitsIn(data))];
  if (commits.length === 0) throw new Refusal(`${path} names no commit`);
  if (commits.length > 1) throw new Refusal(`${path} mixes commits ${commits.join(' and ')}`);
  const [commit] = commits;
  if (!/^[0-9a-f]{7,40}$/.test(commit))
    throw new Refusal(
      `${path} is of '${commit}', which is no commit: the tree had changes, or was not under git`,
    );
  return commit;
}

/** The sentences of all results that are refused. */
export function refusalsOf(results) {
  return results.flatMap((result) => {
    try {
      commitOf(result);
      return [];
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      return [fault.message];
    }
  });
}

/**
 * The acceptance runs of one commit on one kind of machine, which may fill a table together.
 * @property files paths of the runs, oldest first
 */
class Session {
  #runs;

  constructor(runs) {
    this.#runs = runs.toSorted((a, b) => byText(a.data.date, b.data.date));
    const { commit, machine } = this.#runs[0].data;
    Object.assign(this, { commit, gpu: machine.gpu, date: this.#runs.at(-1).data.date });
  }

  /**
   * A part's newest outcome, and the path of its run.
   * @throws {Refusal} it did not run, failed, or a part whose result it used failed
   */
  part(name) {
    const run = this.#runs.findLast(({ data }) => data.parts.some((part) => part.name === name));
    if (run === undefined) throw new Refusal(`part ${name} did not run`);
    const part = run.data.parts.findLast((candidate) => candidate.name === name);
    if (!part.ok) throw new Refusal(`part ${name} failed`);
    const failed = Object.entries(part.needs ?? {}).find(([, ok]) => !ok);
    if (failed !== undefined) throw new Refusal(`part ${failed[0]}, which ${name} needs, failed`);
    return { ...part, path: run.path };
  }
}

/** The sessions of a GPU, newest first. Results of other benchmarks on the same GPU have no parts and belong to none. */
export function sessionsOf(results, gpu) {
  const groups = new Map();
  for (const result of results) {
    const { commit, machine, parts } = result.data;
    if (!Array.isArray(parts) || machine.gpu !== gpu) continue;
    const key = JSON.stringify([commit, machine]);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()].map((runs) => new Session(runs)).toSorted((a, b) => byText(b.date, a.date));
}

/**
 * Result of `make` for the newest session that holds everything it needs.
 * @param note is called with a sentence for each newer session that was passed over
 * @throws {Error} it can be made from none
 */
export function fromNewest(sessions, make, note) {
  const reasons = [];
  for (const session of sessions) {
    try {
      const made = make(session);
      reasons.forEach(note);
      return made;
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      reasons.push(`not of ${session.commit} (${session.date}): ${fault.message}`);
    }
  }
  throw new Error(['no acceptance run has all that is needed', ...reasons].join('; '));
}
