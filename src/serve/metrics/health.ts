/** Decides whether the server and its models can answer, from the state of the repository and the engines' heartbeats. */
import { AloftError } from '../../core/errors.js';
import type { ModelRepository } from '../repository/model-repository.js';
import type { RunningEngine } from '../generation/running-engine.js';
import type { ServedModel } from '../repository/served-model.js';

export type ServerPhase = 'starting' | 'serving' | 'draining';

export interface HealthLimits {
  /** A step loop that is silent for so long counts as dead. */
  readonly maxHeartbeatAgeMs: number;
  /** Ready means that all models are, not only the server. */
  readonly strictReadiness: boolean;
}

export class ServerHealth {
  phase: ServerPhase = 'starting';
  readonly #repository: ModelRepository;
  readonly #limits: HealthLimits;

  constructor(repository: ModelRepository, limits: HealthLimits) {
    this.#repository = repository;
    this.#limits = limits;
  }

  /** Why nothing but a restart helps; undefined while that is not so. Supervisors look at it. */
  notLiveReason(): string | undefined {
    const dead = this.#repository.engines().find((engine) => engine.loaded.heartbeatAgeMs() === Infinity);
    return dead === undefined ? undefined : standstill(dead);
  }

  /** Why the server is not ready; undefined when it is. */
  notReadyReason(): string | undefined {
    if (this.phase === 'starting') return 'STARTING: models are being loaded';
    if (this.phase === 'draining') return 'The server is shutting down';
    const stuck = this.#repository.engines().find((engine) => !this.#isAlive(engine));
    if (stuck !== undefined) return standstill(stuck);
    return this.#limits.strictReadiness ? this.#repository.notReadyReason() : undefined;
  }

  isModelReady(name: string, version: string): boolean {
    if (this.phase === 'draining') return false;
    try {
      return this.#isServing(this.#repository.resolve(name, version));
    } catch (error) {
      if (error instanceof AloftError) return false;
      throw error;
    }
  }

  /** @throws {AloftError} SHUTTING_DOWN or MODEL_UNAVAILABLE when a new request cannot be taken. */
  requireServing(model: ServedModel): void {
    if (this.phase === 'draining') throw new AloftError('SHUTTING_DOWN', 'Server exiting');
    if (this.#isServing(model)) return;
    throw new AloftError(
      'MODEL_UNAVAILABLE',
      `Model '${model.name}' does not answer: ${this.#whySilent(model)}.`,
    );
  }

  #whySilent(model: ServedModel): string {
    if (!('engine' in model) || !model.engine.isClosing) return 'its step loop has stopped';
    return `its engine, model '${model.engine.name}', is unloaded; load that again`;
  }

  #isServing(model: ServedModel): boolean {
    return 'codec' in model || (!model.engine.isClosing && this.#isAlive(model.engine));
  }

  #isAlive(engine: RunningEngine): boolean {
    return engine.loaded.heartbeatAgeMs() <= this.#limits.maxHeartbeatAgeMs;
  }
}

function standstill({ name, loaded, failure }: RunningEngine): string {
  const ageMs = loaded.heartbeatAgeMs();
  if (ageMs !== Infinity) return `The step loop of '${name}' has not turned for ${Math.round(ageMs)} ms`;
  const why = failure === undefined ? '' : ` (${failure.code})`;
  return `The step loop of '${name}' has stopped for good${why}; restart the server`;
}
