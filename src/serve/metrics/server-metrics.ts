/** All that is measured in one server. */
import { Registry } from 'prom-client';
import type { ObserverFactory, RequestObserver } from '../generation/observer.js';
import type { ModelRepository } from '../repository/model-repository.js';
import type { TraceControl } from '../settings.js';
import { registerAloftEngineMetrics } from './engine-metrics.js';
import { EngineStatsBook, type EngineStats } from './engine-stats.js';
import { StatisticsBook } from './model-statistics.js';
import { RequestMetrics } from './request-metrics.js';
import { traceRequest } from './tracing.js';
import { registerEngineMetrics, registerModelMetrics } from './triton-metrics.js';

export class ServerMetrics {
  readonly registry = new Registry();
  readonly statistics = new StatisticsBook();
  private readonly engineStats: EngineStatsBook;
  private readonly requests: RequestMetrics;
  private readonly repository: ModelRepository;

  private readonly traces: TraceControl;

  constructor(repository: ModelRepository, traces: TraceControl) {
    this.repository = repository;
    this.traces = traces;
    const sources = {
      models: () => repository.served(),
      engines: () => this.engines(),
      statistics: this.statistics,
    };
    registerModelMetrics(this.registry, sources);
    registerEngineMetrics(this.registry, sources);
    this.requests = new RequestMetrics(this.registry);
    this.engineStats = new EngineStatsBook(registerAloftEngineMetrics(this.registry, sources.engines));
  }

  /** Followers of the engines that are loaded now. */
  engines(): readonly EngineStats[] {
    this.engineStats.follow(this.repository.engines());
    return this.engineStats.values();
  }

  readonly observe: ObserverFactory = (info) => {
    this.engines();
    const observers: RequestObserver[] = [
      this.statistics.of(info.modelName, info.modelVersion).observe(info.arrivedMs),
      this.requests.observe(info),
      ...(this.traces.takeSample(info.modelName) ? [traceRequest(info)] : []),
    ];
    // A request for a model's view counts for the engine's own model, too, as a step of an ensemble does.
    if (info.engineName !== info.modelName) {
      observers.push(this.statistics.of(info.engineName, info.modelVersion).observe(info.arrivedMs));
    }
    return {
      onEvents: (events, nowMs) => {
        for (const observer of observers) observer.onEvents(events, nowMs);
      },
      onEnd: (error, nowMs) => {
        for (const observer of observers) observer.onEnd(error, nowMs);
      },
    };
  };
}
