import type { RunningEngine } from '../generation/running-engine.js';

/** Times that an engine is loaded again without having answered anything in between. */
const MAX_VAIN_RESTARTS = 3;

/** Decides whether an engine that has stopped is loaded again: a fault that comes at once must not load for ever. */
export class EngineRestarts {
  readonly #isOn: boolean;
  /** Restarts by model and version, since an engine of it last answered. */
  readonly #vain = new Map<string, number>();

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** Counts a restart where it allows one. */
  allow({ name, version, hasAnswered }: RunningEngine): boolean {
    const key = `${name}/${version}`;
    const count = hasAnswered ? 0 : (this.#vain.get(key) ?? 0);
    if (!this.#isOn || count >= MAX_VAIN_RESTARTS) return false;
    this.#vain.set(key, count + 1);
    return true;
  }
}
