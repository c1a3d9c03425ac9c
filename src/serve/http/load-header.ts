/** The load of a model's engine in the header of an answer, for balancers that ask for it: ORCA, as Triton sends it. */
import type { FastifyRequest } from 'fastify';
import type { ServedModel } from '../repository/served-model.js';
import type { ServerContext } from '../context/server-context.js';

const HEADER = 'endpoint-load-metrics';

/** @returns the header; none unless the request has `endpoint-load-metrics-type: text` or `json` */
export function loadHeader(
  request: FastifyRequest,
  model: ServedModel,
  { metrics }: ServerContext,
): Record<string, string> {
  const format = request.headers['endpoint-load-metrics-type'];
  if (typeof format !== 'string' || 'codec' in model) return {};
  const stats = metrics.engines().find(({ engine }) => engine === model.engine);
  if (stats === undefined) return {};
  const { totalBlockCount: total, freeBlockCount: free, cachedBlockCount: cached } = stats.latest;
  const load = {
    kv_cache_utilization: total === 0 ? 0 : (total - free - cached) / total,
    max_token_capacity: total * model.engine.loaded.blockTokens,
  };
  if (format.toLowerCase() === 'json') return { [HEADER]: `JSON ${JSON.stringify({ named_metrics: load })}` };
  if (format.toLowerCase() !== 'text') return {};
  const values = Object.entries(load).map(([name, value]) => `named_metrics.${name}=${value}`);
  return { [HEADER]: `TEXT ${values.join(', ')}` };
}
