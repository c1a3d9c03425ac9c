/** OpenAPI 3.1 document of routes: https://spec.openapis.org/oas/v3.1.0 */
import type { AccessGroup } from '../../context/access.js';
import { routeRank, routeText, type RouteText } from './route-texts.js';

export interface DescribedRoute {
  readonly method: string;
  /** Path with its parameters in braces. */
  readonly path: string;
  readonly access: AccessGroup;
}

export interface DocumentOptions {
  /** Version of Triton whose interface is spoken. */
  readonly version: string;
  /** Whether use needs a key. */
  readonly hasKeys: boolean;
}

export interface Operation {
  readonly summary: string;
  readonly parameters?: readonly object[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: object;
  readonly security?: readonly object[];
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

export function openApiDocument(
  routes: readonly DescribedRoute[],
  { version, hasKeys }: DocumentOptions,
): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  const sorted = routes.toSorted((a, b) => routeRank(a.method, a.path) - routeRank(b.method, b.path));
  for (const route of sorted)
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route, hasKeys);
  const bearer = { type: 'http', scheme: 'bearer' };
  const header = { type: 'apiKey', in: 'header', name: 'x-api-key' };
  return {
    openapi: '3.1.0',
    info: { title: 'Aloft', version, description: "The version is that of Triton's interface." },
    paths,
    components: { securitySchemes: { bearer, header } },
  };
}

function operation({ method, path, access }: DescribedRoute, hasKeys: boolean): Operation {
  const text = routeText(method, path);
  const names = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name!);
  const needsKey = hasKeys && access !== 'health' && access !== 'page';
  return {
    summary: text.summary,
    ...(names.length === 0 ? {} : { parameters: names.map(parameter) }),
    ...(method === 'POST' ? { requestBody: { content: contentOf(text) } } : {}),
    responses: {
      200: { description: 'The answer', ...(text.streams ? { content: STREAM } : {}) },
      default: { description: 'An error, in the form of the interface' },
    },
    ...(needsKey ? { security: [{ bearer: [] }, { header: [] }] } : {}),
  };
}

const STREAM = { 'application/json': {}, 'text/event-stream': {} };

const parameter = (name: string) => ({ name, in: 'path', required: true, schema: { type: 'string' } });

function contentOf({ body, isBinary }: RouteText): Readonly<Record<string, { readonly schema: object }>> {
  const json = { schema: body === undefined ? { type: 'object' } : plainSchema(body) };
  if (!isBinary) return { 'application/json': json };
  return { 'application/json': json, 'application/octet-stream': { schema: {} } };
}

/** The schema as JSON; integers of any size are integers there. */
function plainSchema(schema: object): object {
  const text = JSON.stringify(schema, (key, value: unknown) =>
    key === 'type' && value === 'bigint' ? 'integer' : value,
  );
  return JSON.parse(text) as object;
}
