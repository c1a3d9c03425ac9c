/** The parts of a server that every route and RPC works with. */
import type { Log } from '../../core/log.js';
import type { RunGeneration } from '../generation/run-generation.js';
import type { ServerHealth } from '../metrics/health.js';
import type { HeldAnswers } from '../inference/held-answers.js';
import type { Infer } from '../inference/infer-call.js';
import type { ServerMetrics } from '../metrics/server-metrics.js';
import type { Access } from './access.js';
import type { ByteBudget } from './byte-budget.js';
import type { ServeOptions } from './options.js';
import type { ModelRepository } from '../repository/model-repository.js';
import type { SettableLog, TraceControl } from './settings.js';

export interface ServerContext {
  readonly options: ServeOptions;
  readonly version: string;
  readonly access: Access;
  /** Memory of the bodies and messages of requests that are not answered. */
  readonly bodyBudget: ByteBudget;
  readonly repository: ModelRepository;
  readonly health: ServerHealth;
  readonly metrics: ServerMetrics;
  readonly infer: Infer;
  readonly runGeneration: RunGeneration;
  readonly heldAnswers: HeldAnswers;
  readonly log: Log;
  readonly logSettings: SettableLog;
  readonly traces: TraceControl;
}
