/** One line of the log for each request, at verbose level 1: what a client asked for, what it got, and how long it took. */
import type { Usage } from '../../core/request.js';
import type { Log } from '../../core/log.js';
import type { RequestInfo, RequestObserver } from '../generation/observer.js';

export function logRequest({ modelName, protocol, arrivedMs }: RequestInfo, log: Log): RequestObserver {
  let id = '';
  let firstMs: number | undefined;
  let usage: Usage | undefined;
  let reasons: string[] = [];
  return {
    onEvents(events, nowMs) {
      for (const event of events) {
        if (event.type === 'started') id = event.id;
        if (event.type === 'text' && event.tokenIds.length > 0) firstMs ??= nowMs;
        if (event.type === 'sequence') reasons = [...reasons, event.finishReason];
        if (event.type === 'finished') usage = event.usage;
      }
    },
    onEnd(error, nowMs) {
      const sinceArrival = (ms: number | undefined) =>
        ms === undefined ? undefined : Math.round((ms - arrivedMs) * 10) / 10;
      const parts = [
        `request ${id === '' ? '<id_unknown>' : id} of '${modelName}' over ${protocol}`,
        ...(usage === undefined
          ? []
          : [
              `${usage.promptTokens} prompt tokens (${usage.cachedPromptTokens} cached)`,
              `${usage.outputTokens} output tokens`,
            ]),
        ...(firstMs === undefined ? [] : [`first after ${(firstMs - arrivedMs).toFixed(1)} ms`]),
        `${(nowMs - arrivedMs).toFixed(1)} ms`,
        error === undefined
          ? `ended by ${reasons.join(', ') || 'its client'}`
          : `${error.code}: ${error.message}`,
      ];
      log.verbose(parts.join(', '), {
        request: id,
        model: modelName,
        protocol,
        promptTokens: usage?.promptTokens,
        cachedPromptTokens: usage?.cachedPromptTokens,
        outputTokens: usage?.outputTokens,
        firstTokenMs: sinceArrival(firstMs),
        durationMs: sinceArrival(nowMs),
        ...(error === undefined ? { finishReasons: reasons.join(',') } : { code: error.code }),
      });
    },
  };
}
