/** Destination of traces: Triton's --trace-config, or the environment variables of OpenTelemetry. */
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import type { TraceSettings } from '../../serve/context/settings.js';
import { repeated } from './flags.js';

export interface TraceFlags {
  readonly traceConfig?: readonly string[];
}

export interface TraceTarget {
  /** URL at which an OTLP collector takes traces over HTTP; undefined leaves it to the environment. */
  readonly url: string | undefined;
  readonly resource: Readonly<Record<string, string>>;
}

export interface TraceOptions {
  readonly settings: TraceSettings;
  /** Undefined: traces go to nobody, unless the process has an SDK of its own. */
  readonly target: TraceTarget | undefined;
}

export function addTraceFlags(command: Command): Command {
  return command.option(
    '--trace-config <setting>',
    'level=TIMESTAMPS, rate=100, count=-1, opentelemetry,url=http://localhost:4318/v1/traces; may be repeated. ' +
      'OTEL_EXPORTER_OTLP_ENDPOINT alone is enough',
    repeated,
  );
}

const SETTINGS: Readonly<Record<string, string>> = {
  level: 'trace_level',
  rate: 'trace_rate',
  count: 'trace_count',
  'log-frequency': 'log_frequency',
};

/**
 * @param environment OTEL_* variables of the process
 * @throws {AloftError} USAGE
 */
export function readTraceOptions(
  flags: TraceFlags,
  environment: Readonly<Record<string, string | undefined>>,
): TraceOptions {
  const settings: Record<string, readonly string[]> = {};
  const resource: Record<string, string> = {};
  let url: string | undefined;
  for (const text of flags.traceConfig ?? []) {
    const [, mode = '', key = '', value = ''] = /^(?:(\w+),)?([\w-]+)=(.*)$/.exec(text) ?? [];
    if (key === 'mode' && value === 'opentelemetry') continue;
    if (mode === '' && SETTINGS[key] !== undefined)
      settings[SETTINGS[key]] = [...(settings[SETTINGS[key]] ?? []), value];
    else if (mode === 'opentelemetry' && key === 'url') url = httpUrl(value);
    else if (mode === 'opentelemetry' && key === 'resource') addResource(resource, value, text);
    else throw unknownSetting(text);
  }
  const isWanted = url !== undefined || hasEndpoint(environment);
  return { settings, target: isWanted ? { url, resource } : undefined };
}

function hasEndpoint(environment: Readonly<Record<string, string | undefined>>): boolean {
  if (/^true$/i.test(environment['OTEL_SDK_DISABLED'] ?? '')) return false;
  if (environment['OTEL_TRACES_EXPORTER'] === 'none') return false;
  const names = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (!names.some((name) => environment[name])) return false;
  const protocol =
    environment['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? environment['OTEL_EXPORTER_OTLP_PROTOCOL'];
  if (protocol !== 'grpc') return true;
  throw new AloftError(
    'USAGE',
    "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', but traces go over HTTP: set it to http/json and the endpoint to the collector's port for that, usually 4318.",
  );
}

function httpUrl(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`;
  if (URL.canParse(url)) return url;
  throw new AloftError(
    'USAGE',
    `--trace-config has the url '${text}', which is none; give http://HOST:4318/v1/traces.`,
  );
}

function addResource(resource: Record<string, string>, text: string, whole: string): void {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) throw unknownSetting(whole);
  resource[key] = value;
}

function unknownSetting(text: string): AloftError {
  return new AloftError(
    'USAGE',
    `--trace-config '${text}' is unknown; it takes level=, rate=, count=, mode=opentelemetry, opentelemetry,url= and opentelemetry,resource=KEY=VALUE.`,
  );
}
