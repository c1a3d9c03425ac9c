/** Sends the spans of the server to an OpenTelemetry collector. Loaded only where there is one: it takes 130 ms. */
import { diag, DiagLogLevel, propagation, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Log } from '../../core/log.js';
import { present } from '../../core/present.js';
import { withLimit } from '../../core/time-limit.js';
import { packageVersion } from './package-version.js';
import type { TraceTarget } from './trace-flags.js';

/** A collector that does not answer must not hold up the end of the server for longer. */
const LAST_SPANS_MS = 2000;

/** @returns a function that sends what is left, stops, and returns true if it could: if not, its retries keep the process alive */
export function exportTraces({ url, resource }: TraceTarget, log: Log): () => Promise<boolean> {
  reportFaults(log);
  const own = resourceFromAttributes({ 'service.name': 'aloft', 'service.version': packageVersion() });
  const exporter = new OTLPTraceExporter(present({ url }));
  const provider = new TracerProvider({
    resource: own
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(resourceFromAttributes({ ...resource })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return async () => {
    const sent = provider.shutdown().catch(() => undefined);
    const isInTime = await withLimit(sent, LAST_SPANS_MS);
    trace.disable();
    propagation.disable();
    diag.disable();
    return isInTime;
  };
}

/** The exporter's faults are errors written as JSON, with their stacks. */
function causeOf(text: string): string {
  return /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text;
}

/** The first fault alone: a collector that is away would fill the log with one for each batch. */
function reportFaults(log: Log): void {
  let isFirst = true;
  const report = (message: string) => {
    if (isFirst)
      log.warning(`Traces do not reach the collector: ${causeOf(message)}. Later faults are not logged.`);
    isFirst = false;
  };
  const ignore = () => {};
  diag.setLogger(
    { error: report, warn: ignore, info: ignore, debug: ignore, verbose: ignore },
    DiagLogLevel.ERROR,
  );
}
