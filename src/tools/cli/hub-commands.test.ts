/** Commands that take a model by its name on a hub, against a hub on this machine. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { startTestHub, type TestHub } from '../../hub/testing/test-hub.js';
import { hubSettings } from './hub-settings.js';
import { aloft, DEMO_MODEL, temporaryFolder } from './testing/command-line.js';

const COMMIT = '1234567'.padEnd(40, '0');
const folder = temporaryFolder();
let hub: TestHub;

beforeAll(async () => {
  const files = Object.fromEntries(
    [
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ].map((name) => [name, readFileSync(join(DEMO_MODEL, name))]),
  );
  hub = await startTestHub({
    'org/demo': { revisions: { main: COMMIT }, files },
    'org/seen': { revisions: { main: COMMIT }, files },
    'org/huge': { revisions: { main: COMMIT }, files },
    'org/embed': {
      revisions: { main: COMMIT },
      files: {
        ...files,
        'modules.json': Buffer.from('[]'),
        '1_Pooling/config.json': Buffer.from('{"pooling_mode_mean_tokens":true}'),
      },
    },
    'org/quantised': {
      revisions: { main: COMMIT },
      files: { 'model-Q4_0.gguf': Buffer.from('GGUF') },
    },
    'org/odd': {
      revisions: { main: COMMIT },
      files: {
        ...files,
        'config.json': Buffer.from('{"architectures":["OddForCausalLM"],"model_type":"odd"}'),
      },
    },
  });
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_HUB_CACHE', folder.path('hub'));
  vi.stubEnv('XDG_CACHE_HOME', folder.path('cache'));
});
afterEach(() => hub.listedBytes.clear());
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  folder.dispose();
});

test('memory is planned from the configuration of a model on the hub alone', async () => {
  const plan = async (...flags: string[]) => aloft('plan-memory', '--model_dir', ...flags);
  const before = hub.requests.length;
  const { status, out, err } = await plan('org/demo', '--gpu_memory_gb', '24');
  expect([status, err]).toEqual([0, '']);
  expect(out).toBe((await plan(DEMO_MODEL, '--gpu_memory_gb', '24')).out);
  const asked = hub.requests.slice(before);
  expect(asked.filter((line) => line.includes('/config.json'))).not.toEqual([]);
  expect(asked.filter((line) => line.includes('model.safetensors'))).toEqual([]);
  expect(await plan('org/quantised:Q4_0')).toMatchObject({
    status: 2,
    err: expect.stringMatching(/bring it with 'aloft pull org\/quantised:Q4_0'\. \[CHECKPOINT_NOT_FOUND\]$/m),
  });
});

test('a model on the hub is inspected without its weights, and says what needs them', async () => {
  const before = hub.requests.length;
  const { status, out, err } = await aloft('inspect', 'org/seen');
  expect([status, err]).toEqual([0, expect.stringMatching(/^There is no org\/seen here .*\.\.\.\n$/)]);
  expect(hub.requests.slice(before).filter((line) => line.includes('model.safetensors'))).toEqual([]);
  const local = (await aloft('inspect', DEMO_MODEL)).out.split('\n');
  const rows = out.split('\n');
  const differing = rows.filter((row, index) => row !== local[index]);
  expect(rows).toHaveLength(local.length);
  expect(differing).toEqual([
    folder.path('hub', 'models--org--seen', 'snapshots', COMMIT),
    expect.stringMatching(/^size +6 layers, hidden 256, /),
    expect.stringMatching(/^stored +only the weights say .*; bring them with 'aloft pull org\/seen'$/),
  ]);
  const json = JSON.parse((await aloft('inspect', 'org/seen', '--json')).out) as object;
  expect(json).toMatchObject({ parameterCount: null, stored: null, tokenizer: { tokenCount: 4096 } });
  expect(await aloft('inspect', 'org/quantised:Q4_0')).toMatchObject({
    status: 2,
    err: expect.stringMatching(/bring it with 'aloft pull org\/quantised:Q4_0'\. \[CHECKPOINT_NOT_FOUND\]$/m),
  });
  expect((await aloft('inspect', 'org/odd')).err).toMatch(/\[ARCHITECTURE_UNKNOWN\]\n$/);
});

test('a model is pulled and built once, and then runs without a hub', async () => {
  const first = await aloft('run', 'org/demo', 'The sun', '--max_output_len', '4');
  expect(first.err).toMatch(/^There is no org\/demo here or in the cache; asking http:.* for it \.\.\.$/m);
  expect(first.err).toMatch(/^org\/demo at 123456700000: [\d.]+ MiB in 5 files$/m);
  expect(first.err).toMatch(/^To download: [\d.]+ MiB in 4 of them, to /m);
  expect(first.err).toMatch(/^To build, once: an engine of [\d.]+ MiB for \w+, float16, in .*aloft$/m);
  expect(first.err).toMatch(
    /^To load: [\d.]+ MiB of weights, up to [\d.]+ [MG]iB of KV cache \(\d+ sequences of \d+ tokens\); /m,
  );
  expect([first.status, first.out]).toEqual([0, expect.stringMatching(/Input: "The sun"\nOutput: "/)]);
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  const second = await aloft('run', 'org/demo', 'The sun', '--max_output_len', '4');
  vi.stubEnv('HF_ENDPOINT', hub.url);
  expect([second.status, second.err]).toEqual([0, expect.stringMatching(/^\[3 prompt tokens, .*\]\n$/)]);
  expect(readdirSync(folder.path('cache/aloft/engines'))).toEqual([
    expect.stringMatching(/^org--demo-[0-9a-f]{12}$/),
  ]);
});

test('build and bench take a name, too', async () => {
  const engine = folder.path('engine');
  expect(await aloft('build', '--model_dir', 'org/demo', '--output_dir', engine)).toMatchObject({
    status: 0,
  });
  const measured = await aloft(
    'bench',
    'org/demo',
    '--batch_size',
    '1',
    '--input_output_len',
    '8,4',
    '--duration',
    '0',
    '--num_runs',
    '1',
  );
  expect([measured.status, measured.out]).toEqual([0, expect.stringContaining('[BENCHMARK]')]);
  const twice = await aloft('bench', 'org/demo', '--engine_dir', engine);
  expect([twice.status, twice.err]).toEqual([
    2,
    expect.stringMatching(/were both given; use one of them\. \[USAGE\]/),
  ]);
});

test('a model that is published for embeddings makes them', async () => {
  const { status, err } = await aloft('run', 'org/embed', 'text');
  expect([status, err]).toEqual([2, expect.stringMatching(/makes embeddings and no text/)]);
  const [engine] = readdirSync(folder.path('cache/aloft/engines')).filter((name) =>
    name.startsWith('org--embed-'),
  );
  const shown = await aloft('engine', 'show', folder.path('cache/aloft/engines', engine!));
  expect(shown.out).toMatch(/^embeddings +pooling mean, of length 1$/m);
});

test('several engines of a server need different names, and no tokenizer of their own', async () => {
  const same = await aloft('serve', 'org/demo', folder.path('other/demo'));
  expect([same.status, same.err]).toEqual([
    2,
    expect.stringMatching(/would both be the model 'demo'; .*\[USAGE\]/),
  ]);
  const tokenizer = await aloft('serve', 'org/demo', 'org/embed', '--tokenizer_dir', DEMO_MODEL);
  expect(tokenizer.err).toMatch(/--tokenizer_dir is for one engine; .*\[USAGE\]/);
});

test('pull prints the path, and says so when nothing is missing', async () => {
  const { status, out, err } = await aloft('pull', 'org/demo');
  expect([status, out]).toEqual([0, `${folder.path('hub', 'models--org--demo', 'snapshots', COMMIT)}\n`]);
  expect(err).toMatch(/^org\/demo at 123456700000: [\d.]+ MiB in 5 files, all of them in /);
  const whole = await aloft('inspect', 'org/demo');
  expect(whole.out).toMatch(/^stored +F16: 57 tensors, 6\.45 M numbers$/m);
});

test.each([
  ['run', 'org/huge'],
  ['pull', 'org/huge'],
])('%s refuses what does not fit on the disk before anything large comes', async (command, name) => {
  hub.listedBytes.set('model.safetensors', 2 ** 52);
  hub.requests.length = 0;
  const { status, err } = await aloft(command, name);
  expect([status, err]).toEqual([
    2,
    expect.stringMatching(
      /aloft: The disk of .* has .* free, but 4096(?:\.\d)? TiB are needed; free space, or name folders on another disk with HF_HUB_CACHE and XDG_CACHE_HOME\. \[OUTPUT_FAILED\]\n$/,
    ),
  ]);
  expect(hub.requests.filter((request) => request.includes('model.safetensors'))).toEqual([]);
});

test('a model that cannot be built is refused before its weights come', async () => {
  hub.requests.length = 0;
  const { status, err } = await aloft('serve', 'org/odd');
  expect([status, err]).toEqual([2, expect.stringMatching(/\[ARCHITECTURE_UNKNOWN\]\n$/)]);
  expect(hub.requests.filter((request) => request.includes('model.safetensors'))).toEqual([]);
});

test('a path goes before a name, and other words are neither', async () => {
  const missing = await aloft('run', 'no/such', 'text');
  expect([missing.status, missing.err]).toEqual([
    2,
    expect.stringMatching(/has no model no\/such; .*\[CHECKPOINT_NOT_FOUND\]/),
  ]);
  expect((await aloft('pull', 'words')).err).toMatch(
    /'words' is no name of a model; give ORG\/NAME.*\[USAGE\]/,
  );
  expect((await aloft('pull', 'org/demo', '--revision', '../x')).err).toMatch(
    /'\.\.\/x' is no revision.*\[USAGE\]/,
  );
  expect((await aloft('pull', 'org/demo', '--file', 'none.gguf')).err).toMatch(
    /org\/demo has no file none\.gguf; it has none\. \[CHECKPOINT_NOT_FOUND\]/,
  );
});

test('settings are those of the Python client', () => {
  const home = folder.path('home');
  expect(existsSync(home)).toBe(false);
  mkdirSync(home);
  writeFileSync(join(home, 'token'), 'hf_file\n');
  expect(hubSettings({ HF_HOME: home })).toMatchObject({
    endpoint: 'https://huggingface.co',
    token: 'hf_file',
    cacheDirectory: join(home, 'hub'),
    isOffline: false,
  });
  expect(
    hubSettings({
      HF_HOME: home,
      HF_TOKEN: ' hf_given ',
      HF_HUB_CACHE: '/c',
      HF_ENDPOINT: 'http://mirror/',
      HF_HUB_OFFLINE: '1',
    }),
  ).toMatchObject({ endpoint: 'http://mirror', token: 'hf_given', cacheDirectory: '/c', isOffline: true });
  expect(hubSettings({ XDG_CACHE_HOME: home })).toMatchObject({
    token: undefined,
    cacheDirectory: join(home, 'huggingface/hub'),
  });
  expect(() => hubSettings({ HF_ENDPOINT: 'mirror' })).toThrow(/HF_ENDPOINT is 'mirror'; give an address/);
  expect(() => hubSettings({ HF_TOKEN: 'a b' })).toThrow(/HF_TOKEN has spaces/);
  expect(() => hubSettings({ HF_HUB_DOWNLOAD_TIMEOUT: 'x' })).toThrow(/HF_HUB_DOWNLOAD_TIMEOUT is 'x'/);
});
