/** Sends the spans of the server to an OpenTelemetry collector. Loaded only where there is one: it takes 130 ms. */
import { propagation, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { packageVersion } from './package-version.js';
import type { TraceTarget } from './trace-flags.js';

/** @returns sends what is left and stops; it does not throw */
export function exportTraces({ url, resource }: TraceTarget): () => Promise<void> {
  const own = resourceFromAttributes({ 'service.name': 'aloft', 'service.version': packageVersion() });
  const exporter = new OTLPTraceExporter(url === undefined ? {} : { url });
  const provider = new TracerProvider({
    resource: own
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(resourceFromAttributes({ ...resource })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return async () => {
    // A collector that does not answer must not hold up the end of the server.
    await provider.shutdown().catch(() => undefined);
    trace.disable();
    propagation.disable();
  };
}
