/** All that is measured in one server. */
import { Registry } from 'prom-client';
import type { ObserverFactory, RequestObserver } from '../generation/observer.js';
import type { ModelRepository } from '../repository/model-repository.js';
import { logRequest } from '../request-log.js';
import type { SettableLog, TraceControl } from '../settings.js';
import { registerAloftEngineMetrics } from './engine-metrics.js';
import { EngineStatsBook, type EngineStats } from './engine-stats.js';
import { registerHostMetrics } from './host-metrics.js';
import { latencySummaries, type ObserveDurations } from './latency-summaries.js';
import type { MetricsOptions } from './metrics-options.js';
import { StatisticsBook, type RequestDurations } from './model-statistics.js';
import { RequestMetrics } from './request-metrics.js';
import { traceRequest } from './tracing.js';
import { registerEngineMetrics, registerModelMetrics } from './triton-metrics.js';

export interface MetricsParts {
  readonly traces: TraceControl;
  readonly log: SettableLog;
  readonly options: MetricsOptions;
}

export class ServerMetrics {
  readonly registry = new Registry();
  readonly statistics = new StatisticsBook();
  private readonly engineStats: EngineStatsBook;
  private readonly requests: RequestMetrics;
  private readonly repository: ModelRepository;

  private readonly parts: MetricsParts;
  private readonly summarise: ObserveDurations | undefined;

  constructor(repository: ModelRepository, parts: MetricsParts) {
    this.repository = repository;
    this.parts = parts;
    const { options } = parts;
    const sources = {
      models: () => repository.served(),
      engines: () => this.engines(),
      statistics: this.statistics,
    };
    registerModelMetrics(this.registry, sources, options);
    registerHostMetrics(this.registry);
    if (options.summaryLatencies) this.summarise = latencySummaries(this.registry, options.summaryQuantiles);
    registerEngineMetrics(this.registry, sources);
    this.requests = new RequestMetrics(this.registry, options);
    this.engineStats = new EngineStatsBook(registerAloftEngineMetrics(this.registry, sources.engines));
  }

  /** Followers of the engines that are loaded now. */
  engines(): readonly EngineStats[] {
    this.engineStats.follow(this.repository.engines());
    return this.engineStats.values();
  }

  readonly observe: ObserverFactory = (info) => {
    this.engines();
    const { traces, log } = this.parts;
    const { modelName, modelVersion, engineName } = info;
    // A request for a model's view counts for the engine's own model, too, as a step of an ensemble does.
    const names = engineName === modelName ? [modelName] : [modelName, engineName];
    const observers: RequestObserver[] = [
      ...names.map((name) => this.observeModel(name, modelVersion, info.arrivedMs)),
      this.requests.observe(info),
      ...(traces.takeSample(modelName) ? [traceRequest(info)] : []),
      ...(log.isVerbose ? [logRequest(info, log)] : []),
    ];
    return {
      onEvents: (events, nowMs) => {
        for (const observer of observers) observer.onEvents(events, nowMs);
      },
      onEnd: (error, nowMs) => {
        for (const observer of observers) observer.onEnd(error, nowMs);
      },
    };
  };

  private observeModel(name: string, version: string, arrivedMs: number): RequestObserver {
    const summarise = this.summarise;
    const onSuccess = summarise && ((durations: RequestDurations) => summarise(name, version, durations));
    return this.statistics.of(name, version).observe(arrivedMs, onSuccess);
  }
}
