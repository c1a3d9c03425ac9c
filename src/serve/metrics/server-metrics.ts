/** All that is measured in one server. */
import { Registry } from 'prom-client';
import type { Log } from '../../core/log.js';
import type { ObserverFactory, RequestInfo, RequestObserver } from '../generation/observer.js';
import type { ModelRepository } from '../repository/model-repository.js';
import { logRequest } from './request-log.js';
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
  /** Decides which requests are traced. */
  readonly traces: { takeSample(model: string): boolean };
  /** Gets a line for each request while it is verbose. */
  readonly log: Log & { readonly isVerbose: boolean };
  readonly options: MetricsOptions;
}

export class ServerMetrics {
  readonly registry = new Registry();
  readonly statistics = new StatisticsBook();
  readonly #engineStats: EngineStatsBook;
  readonly #requests: RequestMetrics;
  readonly #repository: ModelRepository;

  readonly #parts: MetricsParts;
  readonly #summarise: ObserveDurations | undefined;

  constructor(repository: ModelRepository, parts: MetricsParts) {
    this.#repository = repository;
    this.#parts = parts;
    const { options } = parts;
    const sources = {
      models: () => repository.served(),
      engines: () => this.engines(),
      loadTimes: () => repository.loadTimes(),
      statistics: this.statistics,
    };
    registerModelMetrics(this.registry, sources, options);
    registerHostMetrics(this.registry);
    if (options.summaryLatencies) this.#summarise = latencySummaries(this.registry, options.summaryQuantiles);
    registerEngineMetrics(this.registry, sources);
    this.#requests = new RequestMetrics(this.registry, options);
    this.#engineStats = new EngineStatsBook(registerAloftEngineMetrics(this.registry, sources.engines));
  }

  /** Followers of the engines that are loaded now. */
  engines(): readonly EngineStats[] {
    this.#engineStats.follow(this.#repository.engines());
    return this.#engineStats.values();
  }

  readonly observe: ObserverFactory = (info) => {
    this.engines();
    const { traces, log } = this.#parts;
    const observers: RequestObserver[] = [
      ...this.#observeModels(info),
      this.#requests.observe(info),
      ...(traces.takeSample(info.modelName) ? [traceRequest(info)] : []),
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

  /** The model that was asked for, and those whose work a request for an ensemble is. */
  #observeModels({
    modelName,
    modelVersion,
    engineName,
    engineVersion,
    stages,
    arrivedMs,
  }: RequestInfo): RequestObserver[] {
    const observe = (name: string, version: string, onSuccess?: (durations: RequestDurations) => void) =>
      this.statistics.of(name, version).observe(arrivedMs, (durations) => {
        this.#summarise?.(name, version, durations);
        onSuccess?.(durations);
      });
    const asked = observe(modelName, modelVersion, ({ inputMs, outputMs }) => {
      if (stages.before !== undefined)
        this.statistics.of(stages.before, this.#versionOf(stages.before)).addWork(inputMs);
      if (stages.after !== undefined)
        this.statistics.of(stages.after, this.#versionOf(stages.after)).addWork(outputMs);
    });
    return engineName === modelName ? [asked] : [asked, observe(engineName, engineVersion)];
  }

  #versionOf(name: string): string {
    return this.#repository.served().findLast((model) => model.name === name)?.version ?? '1';
  }
}
