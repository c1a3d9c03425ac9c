/** One OpenTelemetry span per request. Without an SDK in the process the API does nothing. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, propagation, trace } from '@opentelemetry/api';
import type { RequestInfo, RequestObserver } from '../generation/observer.js';

export function traceRequest(info: RequestInfo): RequestObserver {
  const carrier = info.traceparent === undefined ? {} : { traceparent: info.traceparent };
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
  const attributes = {
    'gen_ai.system': 'aloft',
    'gen_ai.request.model': info.modelName,
    'rpc.system': info.protocol,
  };
  const span = trace.getTracer('aloft').startSpan('generate', { kind: SpanKind.SERVER, attributes }, parent);
  let hasToken = false;
  return {
    onEvents(events) {
      for (const event of events) {
        if (event.type === 'text' && event.tokenIds.length > 0 && !hasToken) {
          hasToken = true;
          span.addEvent('first token');
        }
        if (event.type !== 'finished') continue;
        span.setAttribute('gen_ai.usage.input_tokens', event.usage.promptTokens);
        span.setAttribute('gen_ai.usage.output_tokens', event.usage.outputTokens);
      }
    },
    onEnd(error) {
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      span.end();
    },
  };
}
