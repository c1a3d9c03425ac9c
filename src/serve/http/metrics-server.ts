/** GET /metrics on a port of its own, as Triton has it. */
import { createServer, type Server } from 'node:http';
import type { ServerMetrics } from '../metrics/server-metrics.js';

export function createMetricsServer(metrics: ServerMetrics): Server {
  return createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metrics.engines();
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
}
