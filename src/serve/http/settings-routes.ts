/** GET and POST /v2/logging, /v2/trace/setting, /v2/models/M/trace/setting */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AloftError } from '../../core/errors.js';
import { parseJsonObject, type JsonValue } from '../../protocol/json.js';
import type { ServerContext } from '../context/server-context.js';
import type { LogSetting } from '../context/settings.js';
import { bodyText } from './body.js';
import { sendJson } from './reply.js';
import { modelOf, route } from './route.js';

export function settingsRoutes(
  app: FastifyInstance,
  { logSettings, traces, repository }: ServerContext,
): void {
  const logging: Parameters<typeof route>[2] = {
    GET: (_, reply) => sendJson(reply, JSON.stringify(logSettings.settings)),
    POST: (request, reply) => {
      logSettings.update(logChanges(request));
      return sendJson(reply, JSON.stringify(logSettings.settings));
    },
  };
  route(app, '/v2/logging', logging, { access: 'logging' });
  for (const url of ['/v2/trace/setting', '/v2/models/:model/trace/setting']) {
    const model = (request: FastifyRequest): string => {
      const { name } = modelOf(request);
      if (name !== '') repository.resolve(name, '');
      return name;
    };
    const tracing: Parameters<typeof route>[2] = {
      GET: (request, reply) => sendJson(reply, traceJson(traces.settings(model(request)))),
      POST: (request, reply) => {
        traces.update(model(request), traceChanges(request));
        return sendJson(reply, traceJson(traces.settings(model(request))));
      },
    };
    route(app, url, tracing, { access: 'trace' });
  }
}

/** trace_level is a list, all others single strings. */
function traceJson(settings: Readonly<Record<string, readonly string[]>>): string {
  const members = Object.entries(settings).map(([key, value]) => [
    key,
    key === 'trace_level' ? value : (value[0] ?? ''),
  ]);
  return JSON.stringify(Object.fromEntries(members));
}

function logChanges(request: FastifyRequest): Record<string, LogSetting> {
  const json = parseJsonObject(bodyText(request));
  const changes = Object.entries(json).map(([key, value]): [string, LogSetting] => {
    if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number')
      return [key, value];
    throw new AloftError('REQUEST_INVALID', `log setting '${key}' must be a string, a number or a boolean`);
  });
  return Object.fromEntries(changes);
}

function traceChanges(request: FastifyRequest): Record<string, readonly string[] | null> {
  const json = parseJsonObject(bodyText(request));
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, traceValue(key, value)]));
}

function traceValue(key: string, value: JsonValue): readonly string[] | null {
  if (value === null) return null;
  const list: readonly JsonValue[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item === 'string' || typeof item === 'number') return String(item);
    throw new AloftError('REQUEST_INVALID', `trace setting '${key}' must be a string or a list of strings`);
  });
}
