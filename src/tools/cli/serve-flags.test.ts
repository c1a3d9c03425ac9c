import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diag, trace } from '@opentelemetry/api';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SILENT_LOG, type Log } from '../../core/log.js';
import { halfRestricted } from '../../serve/context/restricted-apis.js';
import { startedLines } from '../../serve/start/startup-print.js';
import { startTestServer } from '../../serve/testing/test-server.js';
import { normaliseFlags } from './flags.js';
import { serveLog } from './serve-log.js';
import { addModelFlags, addServeFlags, type ServeFlags } from './serve-flags.js';
import { serveOptions } from './serve-options.js';
import type { Terminal } from './terminal.js';
import { aloft } from './testing/command-line.js';
import { startTraces } from './start-traces.js';
import { readTraceOptions } from './trace-flags.js';
import { reportTritonFlags } from './triton-flags.js';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'aloft-flags-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function parse(...argv: string[]): { command: Command; flags: ServeFlags } {
  const command = addServeFlags(addModelFlags(new Command('serve')))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(normaliseFlags(['--model_repo', 'r', ...argv]), { from: 'user' });
  return { command, flags: command.opts<ServeFlags>() };
}

test('parsers of calls and thoughts are those of a list', () => {
  const { flags } = parse('--tool-call-parser', 'mistral', '--reasoning-parser', 'none');
  expect(serveOptions(flags)).toMatchObject({ toolCallParser: 'mistral', reasoningParser: 'none' });
  expect(serveOptions(parse().flags)).toMatchObject({
    toolCallParser: undefined,
    reasoningParser: undefined,
  });
  expect(() => parse('--tool-call-parser', 'x')).toThrow(/Allowed: .*hermes/);
  expect(() => parse('--reasoning-parser', 'x')).toThrow(/Allowed: none, .*qwen3/);
});

test('start has no flags for models of its own choice, which it would not serve', async () => {
  const { status, err } = await aloft('start', '--engine_dir', directory, '--no-serve');
  expect([status, err]).toEqual([
    2,
    "aloft: unknown option '--engine-dir'. See 'aloft start --help'. [USAGE]\n",
  ]);
});

function notes(command: Command): string[] {
  const lines: string[] = [];
  const log: Log = { error() {}, warning() {}, info: (line) => lines.push(line), verbose() {} };
  reportTritonFlags(command, log);
  return lines;
}

/** Lines of the standard error stream. */
function terminal(): { readonly lines: string[]; readonly terminal: Terminal } {
  const lines: string[] = [];
  return {
    lines,
    terminal: {
      out() {},
      err: (text: string) => void lines.push(text),
      isInteractive: false,
    },
  };
}

describe("tritonserver's and launch_triton_server's command lines", () => {
  test('flags that need nothing here are taken and named with the reason', () => {
    const { command } = parse(
      '--disable-auto-complete-config',
      '--backend-config=python,shm-region-prefix-name=prefix0_',
      '--http-thread-count=8',
      '--pinned-memory-pool-byte-size',
      '268435456',
      '--rate-limit=off',
      '--tensorrt_llm_model_name',
      'tensorrt_llm',
      '-f',
    );
    expect(notes(command).map((line) => line.split(' ')[0])).toEqual([
      '--disable-auto-complete-config',
      '--backend-config',
      '--http-thread-count',
      '--pinned-memory-pool-byte-size',
      '--rate-limit',
      '--force',
      '--tensorrt-llm-model-name',
    ]);
    expect(notes(parse('--world_size=1').command)).toEqual([]);
  });

  test.each([
    ['--allow-client-shm=true', /shared memory/],
    ['--model-namespacing=1', /names of models/],
  ])('%s is refused', (flag, message) => {
    expect(() => notes(parse(flag).command)).toThrow(message);
  });

  test('restricted groups, in the form of Triton', () => {
    const { restrictions } = serveOptions(
      parse(
        '--http-restricted-api=shared-memory,model-repository:Admin-Key=a:b=c',
        '--http-restricted-api=trace:k=v',
        '--grpc-restricted-protocol=shared-memory, model-repository :admin-key=value',
      ).flags,
    );
    expect(restrictions).toEqual({
      http: [
        { apis: ['shared-memory', 'model-repository'], header: 'admin-key', value: 'a:b=c' },
        { apis: ['trace'], header: 'k', value: 'v' },
      ],
      grpc: [
        {
          apis: ['shared-memory', 'model-repository'],
          header: 'triton-grpc-protocol-admin-key',
          value: 'value',
        },
      ],
    });
    expect(halfRestricted(restrictions)).toEqual(['trace']);
  });

  test.each([
    ['logging', /API,API,\.\.\.:HEADER=VALUE/],
    ['logging:k', /API,API,\.\.\.:HEADER=VALUE/],
    ['logging:k=', /API,API,\.\.\.:HEADER=VALUE/],
    ['logging:k k=v', /API,API,\.\.\.:HEADER=VALUE/],
    ['logging:k-bin=v', /API,API,\.\.\.:HEADER=VALUE/],
    [':k=v', /API,API,\.\.\.:HEADER=VALUE/],
    ['loging:k=v', /'loging', which is no group; did you mean 'logging'/],
    ['health,x:k=v', /'x', which is no group; use health, metadata/],
    ['trace,trace:k=v', /names 'trace' twice/],
  ])('--grpc-restricted-protocol=%s is no such group', (value, message) => {
    const { flags } = parse(`--grpc-restricted-protocol=${value}`);
    expect(() => serveOptions(flags)).toThrow(message);
  });

  test('the same switched off is fine', () => {
    expect(notes(parse('--allow-sagemaker=false', '--model-namespacing', '0').command)).toEqual([]);
  });

  test('options of engines, in all their spellings', () => {
    const options = (...argv: string[]) => serveOptions(parse(...argv).flags).engineOptions;
    expect(options()).toEqual({});
    expect(
      options(
        ...['--gpu', '1', '--threads=2', '--warmup', '--mmap_weights', '--cuda_library_path', '/cuda:/more'],
        ...['--max_device_memory', '32GB', '--max_num_tokens', '64', '--tokens_per_block', '8'],
        ...['--kv_cache_free_gpu_mem_fraction', '0.3', '--max_tokens_in_paged_kvcache', '99'],
        ...['--max_num_sequences', '3', '--scheduler_policy=max_utilization', '--enable_trt_overlap'],
      ),
    ).toEqual({
      gpu: 1,
      threadCount: 2,
      warmup: true,
      mapWeights: true,
      cudaLibraryPath: '/cuda:/more',
      maxDeviceBytes: 32e9,
      maxStepTokens: 64,
      blockTokens: 8,
      kvCacheFreeMemFraction: 0.3,
      maxKvTokens: 99,
      maxSequenceCount: 3,
      policy: 'max_utilization',
      overlap: true,
    });
    expect(options('--enable-trt-overlap', 'off')).toEqual({ overlap: false });
    expect(options('--kv-cache-free-mem-fraction=0.5')).toEqual({ kvCacheFreeMemFraction: 0.5 });
    expect(() => parse('--scheduler-policy', 'best')).toThrow(/guaranteed_no_evict, max_utilization/);
  });

  test('the help says which options a config.pbtxt may override', () => {
    const help = parse().command.helpInformation();
    const [, group] = help.split(/^Engine options.*a config\.pbtxt may override\):$/m);
    expect(group).toMatch(/--gpu <n>[^]*--scheduler-policy <policy>/);
  });

  test('metrics, readiness and TLS of gRPC', () => {
    const { flags } = parse(
      '--metrics-config',
      'summary_latencies=true',
      '--metrics-config=summary_quantiles=0.5:0.05,0.9',
      '--strict-readiness=false',
    );
    expect(serveOptions(flags)).toMatchObject({
      strictReadiness: false,
      metricsOptions: { summaryLatencies: true, summaryQuantiles: [0.5, 0.9], counterLatencies: true },
      grpcTls: undefined,
    });
    expect(() => serveOptions(parse('--metrics-config', 'foo=1').flags)).toThrow(/'foo=1' is unknown/);
    expect(() => serveOptions(parse('--grpc-use-ssl=true').flags)).toThrow(
      /needs --grpc-server-cert and --grpc-server-key/,
    );
  });
});

describe.skipIf(spawnSync('openssl', ['version']).status !== 0)(
  'TLS files [needs openssl: apt-get install openssl]',
  () => {
    const file = (name: string) => join(directory, name);
    beforeEach(() => {
      const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=a'];
      for (const name of ['own', 'other'])
        execFileSync(
          'openssl',
          ['req', '-x509', ...curve, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)],
          {
            stdio: 'ignore',
          },
        );
      writeFileSync(file('text'), 'no certificate');
    });

    test('are those of gRPC alone by flags of its own', () => {
      const grpc = [
        '--grpc-use-ssl=1',
        '--grpc-server-cert',
        file('own.pem'),
        '--grpc-server-key',
        file('own.key'),
      ];
      expect(serveOptions(parse(...grpc).flags)).toMatchObject({
        tls: undefined,
        grpcTls: { certificate: readFileSync(file('own.pem'), 'utf8') },
      });
    });

    test.each([
      ['none', 'own.key', '', /^--tls-cert \S+none is missing/],
      ['text', 'own.key', '', /^--tls-cert \S+text holds no certificate in PEM form\.$/],
      ['own.pem', 'text', '', /^--tls-key \S+text holds no private key without a passphrase in PEM form\.$/],
      [
        'own.pem',
        'other.key',
        '',
        /^--tls-cert and --tls-key do not belong together; name the key of this certificate\.$/,
      ],
      ['own.pem', 'own.key', 'text', /^--tls-client-ca \S+text holds no certificate in PEM form\.$/],
    ])(
      '%s with %s and authority %s are refused before the server starts',
      (certificate, key, authority, message) => {
        const given = ['--tls-cert', file(certificate), '--tls-key', file(key)];
        const all = authority === '' ? given : [...given, '--tls-client-ca', file(authority)];
        expect(() => serveOptions(parse(...all).flags)).toThrow(message);
      },
    );
  },
);

test('metrics leave this machine on purpose only, and a server with keys says so then', () => {
  const ports = { http: 1, grpc: 2, metrics: 3 };
  const options = (...argv: string[]) => ({ ...serveOptions(parse(...argv).flags), apiKeys: ['key'] });
  const others = options('--host', '0.0.0.0');
  expect([others.http.host, others.metrics.host]).toEqual(['0.0.0.0', '127.0.0.1']);
  expect(startedLines(others, ports).join()).not.toMatch(/Metrics are open/);
  const open = options('--metrics-address', '0.0.0.0');
  expect([open.http.host, open.metrics.host]).toEqual(['127.0.0.1', '0.0.0.0']);
  expect(startedLines(open, ports)).toContain(
    'Metrics are open to others without a key: leave --metrics-address out to keep them on this machine.',
  );
});

describe('log', () => {
  test('levels follow --log-level, and single flags go before it', async () => {
    const settings = async (...argv: string[]) =>
      (await serveLog(parse(...argv).flags, terminal().terminal)).settings;
    expect(await settings()).toMatchObject({ log_info: true, log_verbose_level: 0, log_format: 'default' });
    expect(await settings('--log-level', 'warning')).toMatchObject({ log_info: false, log_warning: true });
    expect(await settings('--log-level=verbose')).toMatchObject({ log_verbose_level: 1 });
    expect(await settings('--log-verbose=2', '--log-info', 'off')).toMatchObject({
      log_info: false,
      log_verbose_level: 2,
    });
  });

  test('goes to a file; each request is a line at verbose level 1', async () => {
    const path = join(directory, 'server.log');
    const { log, settings } = await serveLog(
      parse('--log-file', path, '--log-verbose=1').flags,
      terminal().terminal,
    );
    const server = await startTestServer({ options: { logSettings: settings }, log });
    const ask = (max_tokens: number) =>
      fetch(`${server.httpUrl}/v2/models/ensemble/generate`, {
        method: 'POST',
        body: JSON.stringify({ text_input: 'x'.repeat(max_tokens > 1 ? 1 : 5000), max_tokens }),
      });
    await (await ask(3)).text();
    await (await ask(1)).text();
    await server.close();
    const text = readFileSync(path, 'utf8');
    expect(text).toMatch(/^\[Aloft\] \[I\] \d{4} \d\d:\d\d:\d\d\.\d{3} Started HTTPService/m);
    expect(text).toMatch(
      /\[V\] .* request \S+ of 'ensemble' over http, 2 prompt tokens \(0 cached\), 3 output tokens, first after [\d.]+ ms, [\d.]+ ms, ended by length$/m,
    );
    expect(text).toMatch(/\[V\] .* of 'ensemble' over http, [\d.]+ ms, PROMPT_TOO_LONG: /);
  });

  test('is one object of JSON a line where it is asked for, and stays so', async () => {
    const { terminal: screen, lines: written } = terminal();
    const { log, settings } = await serveLog(parse('--log-format=json', '--log-verbose=1').flags, screen);
    const server = await startTestServer({ options: { logSettings: settings }, log });
    const post = (path: string, body: object) =>
      fetch(`${server.httpUrl}${path}`, { method: 'POST', body: JSON.stringify(body) });
    const ask = (text_input: string) =>
      post('/v2/models/ensemble/generate', { text_input, max_tokens: 3 }).then((answer) => answer.text());
    await ask('x');
    await ask('x'.repeat(5000));
    const changed = await post('/v2/logging', { log_format: 'default' });
    expect([changed.status, await changed.text()]).toEqual([400, expect.stringMatching(/stays json/)]);
    await server.close();
    const lines = written
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ message }) => String(message).startsWith('Started HTTPService at '))).toEqual({
      time: expect.stringMatching(/Z$/),
      level: 'info',
      message: expect.any(String),
    });
    expect(lines.find(({ finishReasons }) => finishReasons === 'length')).toMatchObject({
      level: 'verbose',
      model: 'ensemble',
      protocol: 'http',
      promptTokens: 2,
      outputTokens: 3,
      durationMs: expect.any(Number),
    });
    expect(lines.find(({ code }) => code === 'PROMPT_TOO_LONG')).toMatchObject({ protocol: 'http' });
  });

  test('a file that cannot be written is named', async () => {
    await expect(
      serveLog(parse('--log-file', join(directory, 'no', 'file')).flags, terminal().terminal),
    ).rejects.toThrow(/--log-file .* cannot be written/);
  });
});

describe('traces', () => {
  test("Triton's settings", () => {
    const { flags } = parse(
      '--trace-config=mode=opentelemetry',
      '--trace-config',
      'rate=100',
      '--trace-config',
      'level=TIMESTAMPS',
      '--trace-config=opentelemetry,url=collector:4318/v1/traces',
      '--trace-config=opentelemetry,resource=service.name=test',
    );
    expect(readTraceOptions(flags, {})).toEqual({
      settings: { trace_rate: ['100'], trace_level: ['TIMESTAMPS'] },
      target: { url: 'http://collector:4318/v1/traces', resource: { 'service.name': 'test' } },
    });
    expect(readTraceOptions({}, {}).target).toBeUndefined();
    expect(() => readTraceOptions({ traceConfig: ['mode=triton'] }, {})).toThrow(/'mode=triton' is unknown/);
    expect(() => readTraceOptions({ traceConfig: ['opentelemetry,url=:'] }, {})).toThrow(/is none/);
  });

  test('the environment of OpenTelemetry', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
    expect(readTraceOptions({}, endpoint).target).toEqual({ url: undefined, resource: {} });
    expect(readTraceOptions({}, { ...endpoint, OTEL_SDK_DISABLED: 'true' }).target).toBeUndefined();
    expect(() => readTraceOptions({}, { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toThrow(
      /go over HTTP/,
    );
  });

  test('a collector that is away is logged once and does not hold up the end', async () => {
    const warnings: string[] = [];
    const log: Log = { ...SILENT_LOG, warning: (line) => warnings.push(line) };
    const { exportTraces } = await import('./trace-export.js');
    const end = exportTraces({ url: 'http://127.0.0.1:9/v1/traces', resource: {} }, log);
    trace.getTracer('test').startSpan('one').end();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let isSent: boolean | undefined;
      const ended = end().then((result) => (isSent = result));
      await vi.advanceTimersByTimeAsync(1999);
      expect(isSent).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(await ended).toBe(false);
    } finally {
      vi.useRealTimers();
    }
    warnings.length = 0;
    const endOther = exportTraces({ url: undefined, resource: {} }, log);
    for (let i = 0; i < 2; i++) diag.error('{"stack":"Error: refused at x","message":"refused"}');
    expect(warnings).toEqual(['Traces do not reach the collector: refused. Later faults are not logged.']);
    expect(await endOther()).toBe(true);
  });

  test('a collector needs packages that may not be installed', async () => {
    const start = (name: string) =>
      startTraces({ url: undefined, resource: {} }, SILENT_LOG, () => import(name));
    await expect(start('@opentelemetry/not-installed')).rejects.toMatchObject({ code: 'PACKAGE_MISSING' });
    await expect(start('@opentelemetry/not-installed')).rejects.toThrow(
      /run npm install @opentelemetry\/core@[\d.]+ .*sdk-trace@[\d.]+ .*or leave out/,
    );
    await expect(start('./no-such-file.js')).rejects.toThrow(/Cannot find module .*no-such-file/);
  });

  test('reach a collector, with the trace of the caller', async () => {
    const bodies: string[] = [];
    const collector = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        bodies.push(body);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', () => resolve()));
    const { port } = collector.address() as AddressInfo;
    const { exportTraces } = await import('./trace-export.js');
    const end = exportTraces(
      {
        url: `http://127.0.0.1:${port}/v1/traces`,
        resource: { 'service.name': 'tested' },
      },
      SILENT_LOG,
    );
    const server = await startTestServer();
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    await fetch(`${server.httpUrl}/v2/models/ensemble/generate`, {
      method: 'POST',
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      body: JSON.stringify({ text_input: 'a', max_tokens: 2 }),
    });
    await server.close();
    await end();
    collector.close();
    const text = bodies.join('');
    expect(text).toContain(traceId);
    expect(text).toContain('"gen_ai.request.model"');
    expect(text).toContain('"tested"');
  });
});
