/** GET /metrics on a port of its own, as Triton has it. It has no keys: whoever reaches it may read. */
import { createServer, type Server } from 'node:http';
import type { ServeOptions } from '../context/options.js';
import type { ServerMetrics } from '../metrics/server-metrics.js';
import { isAllowedHost } from './browser-rules.js';

/** Scrapers are few. */
const MAX_CONNECTIONS = 256;
const REQUEST_TIMEOUT_MS = 30_000;

export function createMetricsServer(metrics: ServerMetrics, options: ServeOptions): Server {
  const { metrics: listen, allowedHosts } = options;
  const limits = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
  const server = createServer({ ...limits, maxHeaderSize: options.maxHeaderBytes }, (request, response) => {
    if (!isAllowedHost(request.headers.host, { host: listen.host, allowedHosts })) {
      response.writeHead(403).end();
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(request.method === 'OPTIONS' ? 204 : 405, { allow: 'GET, HEAD, OPTIONS' }).end();
      return;
    }
    metrics.engines();
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
