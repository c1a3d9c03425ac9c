/** GET /openapi.json and /docs: the routes of the server as they are registered. */
import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../../context/server-context.js';
import { sendJson } from '../reply.js';
import { route } from '../route.js';
import { type DescribedRoute, openApiDocument } from './document.js';
import { documentPage, PAGE_POLICY } from './page.js';

/** Names of parameters that stand for the rest of a path. */
const REST_NAMES: Readonly<Record<string, string>> = { '/v1/models/*': 'model' };

export class RouteDescription {
  readonly #context: ServerContext;
  readonly #routes: DescribedRoute[] = [];

  /** Make it before the routes that it describes. */
  constructor(app: FastifyInstance, context: ServerContext) {
    this.#context = context;
    app.addHook('onRoute', ({ method, url, config }) => {
      if (!config?.isDescribed || typeof method !== 'string') return;
      this.#routes.push({ method, path: pathOf(url), access: config.access ?? 'inference' });
    });
  }

  /** Registers the routes of the description itself. All others must be registered before the server is ready. */
  serve(app: FastifyInstance): void {
    let texts: { readonly json: string; readonly page: string } | undefined;
    const described = () => (texts ??= this.#texts());
    const options = { access: 'page' } as const;
    route(app, '/openapi.json', { GET: (_, reply) => sendJson(reply, described().json) }, options);
    const page = {
      GET: (_: unknown, reply: Parameters<typeof sendJson>[0]) =>
        reply
          .type('text/html; charset=utf-8')
          .header('content-security-policy', PAGE_POLICY)
          .header('x-content-type-options', 'nosniff')
          .send(described().page),
    };
    route(app, '/docs', page, options);
    app.addHook('onReady', async () => void described());
  }

  #texts(): { readonly json: string; readonly page: string } {
    const { version, access } = this.#context;
    const document = openApiDocument(this.#routes, { version, hasKeys: access.hasKeys });
    return { json: JSON.stringify(document), page: documentPage(document) };
  }
}

/** Path with its parameters in braces. */
function pathOf(url: string): string {
  const rest = REST_NAMES[url];
  const path = rest === undefined ? url : url.replace('*', `{${rest}}`);
  return path.replaceAll(/:(\w+)/g, '{$1}');
}
