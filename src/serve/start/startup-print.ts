/** Text that a server prints when it starts: addresses first, then models, memory and how to try it. */
import { bareHost, hostAndPort } from '../../core/network-address.js';
import { DEFAULT_SERVE_OPTIONS, type ServeOptions, type TlsFiles } from '../context/options.js';
import { halfRestricted } from '../context/restricted-apis.js';
import type { ModelRepository } from '../repository/model-repository.js';
import type { RunningEngine } from '../generation/running-engine.js';

export interface BoundPorts {
  readonly http: number | undefined;
  readonly grpc: number | undefined;
  readonly metrics: number | undefined;
}

/** The three lines by which Triton's users recognise success. */
export function startedLines(options: ServeOptions, ports: BoundPorts): string[] {
  const lines: string[] = [];
  if (ports.grpc !== undefined)
    lines.push(`Started GRPCInferenceService at ${hostAndPort(options.grpc.host, ports.grpc)}`);
  if (ports.http !== undefined)
    lines.push(`Started HTTPService at ${hostAndPort(options.http.host, ports.http)}`);
  if (ports.metrics !== undefined)
    lines.push(`Started Metrics Service at ${hostAndPort(options.metrics.host, ports.metrics)}`);
  const isLocal = [options.http.host, options.grpc.host].every(isLoopback);
  if (isLocal)
    lines.push('Only this machine can connect; use --host 0.0.0.0 (and --api-key-file) to serve others.');
  else if (options.apiKeys.length === 0)
    lines.push('Others can connect and no API key is set: use --api-key-file.');
  if (ports.metrics !== undefined && options.apiKeys.length > 0 && !isLoopback(options.metrics.host))
    lines.push(
      'Metrics are open to others without a key: leave --metrics-address out to keep them on this machine.',
    );
  const half = halfRestricted(options.restrictions);
  if (ports.grpc !== undefined && ports.http !== undefined && half.length > 0)
    lines.push(
      `Restricted on one protocol and open on the other: ${half.join(', ')}; give --http-restricted-api and --grpc-restricted-protocol.`,
    );
  return lines;
}

const isLoopback = (host: string): boolean => ['127.0.0.1', 'localhost', '::1'].includes(bareHost(host));

export function modelTable(repository: ModelRepository): string {
  const rows = repository.index(false).map((row) => {
    const status = row.reason ? `${row.state}: ${row.reason}` : (row.state ?? 'not loaded');
    return [row.name, row.version ?? '-', status];
  });
  return table([['Model', 'Version', 'Status'], ...rows]);
}

/** Options whose values other lines have, or that say where files lie. */
const SAID_ELSEWHERE = new Set(['engineDirectory', 'playgroundDirectory', 'http', 'grpc', 'metrics']);

/** Options that are not at their defaults; undefined when all are. */
export function changedOptionTable(options: ServeOptions): string | undefined {
  const defaults = new Map(optionRows({ ...DEFAULT_SERVE_OPTIONS, logSettings: options.logSettings }));
  const rows = optionRows(options).filter(
    ([name, value]) => !SAID_ELSEWHERE.has(name) && defaults.get(name) !== value,
  );
  return rows.length === 0 ? undefined : table([['Option', 'Value'], ...rows]);
}

export function optionTable(options: ServeOptions): string {
  return table([['Option', 'Value'], ...optionRows(options)]);
}

/** Names and values, without secrets. */
function optionRows(options: ServeOptions): (readonly [string, string])[] {
  const { apiKeys, adminKeys, priorityKeys, restrictions, tls, grpcTls, ...rest } = options;
  const onOff = (files: TlsFiles | undefined) => (files === undefined ? 'off' : 'on');
  const keyCount = (keys: readonly string[]) => `${keys.length} keys`;
  const keys = {
    apiKeys: keyCount(apiKeys),
    adminKeys: keyCount(adminKeys),
    priorityKeys: keyCount(priorityKeys),
  };
  const restricted = (protocol: keyof typeof restrictions) =>
    restrictions[protocol].flatMap(({ apis }) => apis).join(', ') || 'none';
  const restrictedApis = { restrictedHttp: restricted('http'), restrictedGrpc: restricted('grpc') };
  const secrets = { ...keys, ...restrictedApis, tls: onOff(tls), grpcTls: onOff(grpcTls ?? tls) };
  return Object.entries({ ...rest, ...secrets }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, plainValue(value)] as const],
  );
}

export function engineMemoryTable(engine: RunningEngine): string {
  const { memory } = engine.loaded;
  const hasRanks = memory.some(({ rank }) => rank > 0);
  const rows = memory.map(({ purpose, rank, kind, bytes }) => [
    hasRanks ? `${purpose}, rank ${rank}` : purpose,
    kind,
    mebibytes(bytes),
  ]);
  return table([[`Memory of ${engine.name}`, 'Where', 'MiB'], ...rows]);
}

/** Three lines: where the model is, what it takes, how to try it. */
export function readyLines(
  options: ServeOptions,
  ports: BoundPorts,
  { modelName, engines }: { readonly modelName: string; readonly engines: readonly RunningEngine[] },
): string[] {
  const base =
    ports.http === undefined
      ? undefined
      : `${schemeOf(options)}://${hostAndPort(options.http.host, ports.http)}`;
  const places = [
    ...(base === undefined ? [] : [`OpenAI API ${base}/v1`]),
    ...(base === undefined || options.playgroundDirectory === undefined ? [] : [`page ${base}/`]),
    ...(ports.grpc === undefined ? [] : [`gRPC ${hostAndPort(options.grpc.host, ports.grpc)}`]),
  ];
  const attempt = base === undefined ? tryLines(options, ports, modelName)[0] : `aloft chat -u ${base}`;
  return [
    `Ready: model '${modelName}'; ${places.join(', ')}`,
    `Memory: ${engines.map(memoryText).join('; ')}`,
    ...(attempt === undefined ? [] : [`Try: ${attempt}`]),
  ];
}

/** Bytes of an engine by purpose, those of all its ranks together. */
function memoryText({ name, loaded }: RunningEngine): string {
  const bytesOf = new Map<string, number>();
  for (const { purpose, bytes } of loaded.memory) bytesOf.set(purpose, (bytesOf.get(purpose) ?? 0) + bytes);
  const parts = [...bytesOf].filter(([, bytes]) => bytes > 0);
  return `${name} has ${parts.map(([purpose, bytes]) => `${purpose} ${mebibytes(bytes)} MiB`).join(', ')}`;
}

const schemeOf = ({ tls }: ServeOptions): string => (tls === undefined ? 'http' : 'https');

/** Commands that work now. */
export function tryLines(options: ServeOptions, ports: BoundPorts, modelName: string): string[] {
  const body = JSON.stringify({
    text_input: 'What is deep learning ?',
    max_tokens: 32,
    bad_words: '',
    stop_words: '',
  });
  const base = `${schemeOf(options)}://${hostAndPort(options.http.host, ports.http!)}`;
  const lines = [];
  if (ports.grpc !== undefined) {
    lines.push(
      `Client:      aloft client -u ${hostAndPort(options.grpc.host, ports.grpc)} -p "What is deep learning ?" -S -o 128`,
    );
  }
  if (ports.http === undefined) return lines;
  lines.push(`curl:        curl -X POST ${base}/v2/models/${modelName}/generate -d '${body}'`);
  lines.push(`OpenAI API:  ${base}/v1`);
  if (options.playgroundDirectory !== undefined) lines.push(`Playground:  ${base}/`);
  return lines;
}

function plainValue(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(plainValue).join('; ');
  return Object.entries(value)
    .map(([key, item]) => `${key} ${plainValue(item)}`)
    .join(', ');
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** A line break first: the log's own words must not shift the first row. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const lines = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  return ['', rule, lines[0] ?? '', rule, ...lines.slice(1), rule].join('\n');
}
