/** Pulls from a hub on this machine, with the faults that hubs and networks have. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AloftError } from '../core/errors.js';
import type { HubSettings } from './hub-settings.js';
import { parseModelName } from './model-name.js';
import { cachedModel, pullModel, type PullPlan } from './pull.js';
import { gitHash, sha256, startTestHub, type TestFault, type TestHub } from './testing/test-hub.js';

const COMMIT = 'c0ffee'.padEnd(40, '0');
const OLDER = 'decaf'.padEnd(40, '0');
const CONFIG = Buffer.from('{"architectures":["LlamaForCausalLM"]}');
const WEIGHTS = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) >> 3));
const SHARDS = ['one.safetensors', 'two.safetensors'];
const text = (words: string): Buffer => Buffer.from(words);
const TOKENIZER = text('{}');

let folder: string;
let hub: TestHub;
let settings: HubSettings;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aloft-hub-test-'));
  hub = await startTestHub({
    'org/tiny': {
      revisions: { main: COMMIT, 'v1.0': OLDER },
      files: {
        'README.md': text('words'),
        'config.json': CONFIG,
        'tokenizer.json': TOKENIZER,
        'model.safetensors': WEIGHTS,
        'pytorch_model.bin': WEIGHTS.subarray(1),
        'onnx/model.onnx': WEIGHTS.subarray(2),
      },
    },
    'org/sharded': {
      revisions: { main: COMMIT },
      files: {
        'config.json': CONFIG,
        'additional_chat_templates/tools.jinja': text('{{ tools }}'),
        'model.safetensors.index.json': text(
          JSON.stringify({ weight_map: { a: SHARDS[0], b: SHARDS[1], c: SHARDS[0] } }),
        ),
        [SHARDS[0]!]: WEIGHTS.subarray(3),
        [SHARDS[1]!]: WEIGHTS.subarray(4),
        'unused.safetensors': WEIGHTS.subarray(5),
      },
    },
    'org/quants': {
      revisions: { main: COMMIT },
      files: {
        'tiny-Q4_K_M.gguf': WEIGHTS.subarray(6),
        'tiny.q8_0.gguf': WEIGHTS.subarray(7),
        'mmproj-F16.gguf': WEIGHTS.subarray(8),
        'F32/tiny-F32-00001-of-00002.gguf': WEIGHTS.subarray(9),
      },
    },
    'org/gated': {
      revisions: { main: COMMIT },
      files: { 'config.json': CONFIG, 'model.safetensors': WEIGHTS },
      isGated: true,
    },
    'org/private': {
      revisions: { main: COMMIT },
      files: { 'config.json': CONFIG, 'model.safetensors': WEIGHTS },
      isPrivate: true,
    },
    'org/onnx': { revisions: { main: COMMIT }, files: { 'config.json': CONFIG, 'model.onnx': WEIGHTS } },
  });
  settings = {
    endpoint: hub.url,
    token: undefined,
    cacheDirectory: folder,
    isOffline: false,
    timeoutMs: 20_000,
    retryDelayMs: 1,
  };
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Pulled {
  readonly path: string;
  readonly plan: PullPlan;
  readonly bytes: number;
}

async function pull(
  name: string,
  changed: Partial<HubSettings> = {},
  signal = new AbortController().signal,
): Promise<Pulled> {
  let plan: PullPlan | undefined;
  let bytes = 0;
  const path = await pullModel(
    parseModelName(name)!,
    { ...settings, ...changed },
    {
      signal,
      onPlan: (made) => void (plan = made),
      onBytes: (count) => void (bytes += count),
    },
  );
  return { path, plan: plan!, bytes };
}

const fails = (path: string, ...faults: TestFault[]): void => void hub.faults.set(path, faults);
const model = (...names: string[]): string => join(folder, 'models--org--tiny', ...names);
const cached = (name: string, changed: Partial<HubSettings> = {}) =>
  cachedModel(parseModelName(name)!, { ...settings, ...changed });
const downloads = (): string[] => hub.requests.filter((request) => request.startsWith('CDN'));

async function refused(work: Promise<unknown>): Promise<string> {
  const fault: unknown = await work.catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(AloftError);
  const { code, message } = fault as AloftError;
  return `${message} [${code}]`;
}

describe('a pull', () => {
  test('brings what a build needs, in the layout of the Python client', async () => {
    const { path, plan, bytes } = await pull('org/tiny');
    expect(path).toBe(model('snapshots', COMMIT));
    expect(readdirSync(path).toSorted()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(readlinkSync(join(path, 'model.safetensors'))).toBe(`../../blobs/${sha256(WEIGHTS)}`);
    expect(readlinkSync(join(path, 'config.json'))).toBe(`../../blobs/${gitHash(CONFIG)}`);
    expect(readFileSync(model('refs', 'main'), 'utf8')).toBe(COMMIT);
    expect(readdirSync(model('blobs')).filter((name) => name.endsWith('.incomplete'))).toEqual([]);
    expect(plan).toMatchObject({
      commit: COMMIT,
      path,
      fileCount: 3,
      missingFileCount: 2,
      missingBytes: WEIGHTS.length + TOKENIZER.length,
    });
    expect(bytes).toBe(WEIGHTS.length + TOKENIZER.length);
  });

  test('of what is there asks the hub for its commit only', async () => {
    const { path } = await pull('org/tiny');
    hub.requests.length = 0;
    expect(await pull('org/tiny')).toMatchObject({ path, bytes: 0, plan: { missingFileCount: 0 } });
    expect(hub.requests.every((request) => request.startsWith('GET /api/'))).toBe(true);
  });

  test('of a tag downloads no file twice, and its ref stands beside the other', async () => {
    await pull('org/tiny');
    hub.requests.length = 0;
    expect((await pull('org/tiny:v1.0')).path).toBe(model('snapshots', OLDER));
    expect(downloads()).toEqual([]);
    expect(readFileSync(model('refs', 'v1.0'), 'utf8')).toBe(OLDER);
  });

  test('takes the shards that the index names, and templates from their folder', async () => {
    const { path } = await pull('org/sharded');
    expect(readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
      'additional_chat_templates',
      'additional_chat_templates/tools.jinja',
      'config.json',
      'model.safetensors.index.json',
      ...SHARDS,
    ]);
    expect(readFileSync(join(path, 'additional_chat_templates/tools.jinja'), 'utf8')).toBe('{{ tools }}');
  });

  test.each([
    ['org/quants', 'tiny-Q4_K_M.gguf'],
    ['org/quants:Q8_0', 'tiny.q8_0.gguf'],
    ['hf.co/org/quants:q8_0', 'tiny.q8_0.gguf'],
  ])('%s is one GGUF file', async (name, file) => {
    const { path } = await pull(name);
    expect(path).toBe(join(folder, 'models--org--quants/snapshots', COMMIT, file));
    expect(downloads()).toHaveLength(1);
    expect(cached(name)).toBe(path);
  });

  test('sends the token to the hub and to nobody else', async () => {
    hub.tokens.add('secret');
    hub.members.add('secret');
    await pull('org/gated', { token: 'secret' });
    const [redirected, own] = [downloads(), hub.requests.filter((request) => !request.startsWith('CDN'))];
    expect(redirected).toHaveLength(1);
    expect(redirected.join()).not.toContain('secret');
    expect(own.every((request) => request.endsWith('Bearer secret'))).toBe(true);
  });
});

test('two pulls of the same model at once do not hurt each other', async () => {
  fails('model.safetensors', { type: 'cut', afterBytes: 30_000 }, { type: 'cut', afterBytes: 60_000 });
  const [one, other] = await Promise.all([pull('org/tiny'), pull('org/tiny')]);
  expect(one.path).toBe(other.path);
  expect(readFileSync(join(one.path, 'model.safetensors'))).toEqual(WEIGHTS);
  expect(readdirSync(model('blobs')).filter((name) => name.endsWith('.incomplete'))).toEqual([]);
});

describe('a download that breaks', () => {
  test('goes on by itself from the byte at which it was cut', async () => {
    fails('model.safetensors', { type: 'cut', afterBytes: 40_000 }, { type: 'cut', afterBytes: 1000 });
    const { path, bytes } = await pull('org/tiny');
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(bytes).toBe(WEIGHTS.length + TOKENIZER.length);
    const [first, second, third] = downloads().map((request) => request.split(' ')[3]);
    expect(first).toBeUndefined();
    expect([second, third]).toEqual([
      expect.stringMatching(/^bytes=\d{4,5}-$/),
      expect.stringMatching(/^bytes=\d{4,5}-$/),
    ]);
  });

  test('often ends the pull, and the next one goes on from there', async () => {
    fails(
      'model.safetensors',
      { type: 'cut', afterBytes: 40_000 },
      ...Array.from({ length: 9 }, () => ({ type: 'cut', afterBytes: 0 }) as const),
    );
    expect(await refused(pull('org/tiny'))).toMatch(
      /The download of model\.safetensors from .* broke at \d+ of 100000 bytes: .*; pull again, and it goes on from there\. \[HUB_UNREACHABLE\]/,
    );
    expect(cached('org/tiny')).toBeUndefined();
    const part = model('blobs', `${sha256(WEIGHTS)}.incomplete`);
    const come = readFileSync(part).length;
    expect(come).toBeGreaterThan(0);
    expect(existsSync(model('refs'))).toBe(false);
    hub.faults.clear();
    hub.requests.length = 0;
    const { path, bytes, plan } = await pull('org/tiny');
    expect([bytes, plan.missingBytes]).toEqual([WEIGHTS.length - come, WEIGHTS.length - come]);
    expect(downloads()).toEqual([expect.stringContaining(`bytes=${come}-`)]);
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(existsSync(part)).toBe(false);
  });

  test('because nothing comes any more is made again', async () => {
    fails('model.safetensors', { type: 'stall', afterBytes: 5000 });
    const { path } = await pull('org/tiny', { timeoutMs: 300 });
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(WEIGHTS);
  });

  test('starts again where a hub cannot send the rest alone', async () => {
    fails('model.safetensors', { type: 'cut', afterBytes: 40_000 }, { type: 'wholeFile' });
    const { path, bytes } = await pull('org/tiny');
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(bytes).toBe(WEIGHTS.length + TOKENIZER.length);
  });

  test('because the user stops it keeps what has come', async () => {
    fails('model.safetensors', { type: 'stall', afterBytes: 50_000 });
    const stop = new AbortController();
    const pulled = pullModel(parseModelName('org/tiny')!, settings, {
      signal: stop.signal,
      onPlan() {},
      onBytes: (count) => count > TOKENIZER.length && stop.abort(new AloftError('CANCELLED', 'Stopped.')),
    });
    expect(await refused(pulled)).toBe('Stopped. [CANCELLED]');
    expect(readFileSync(model('blobs', `${sha256(WEIGHTS)}.incomplete`)).length).toBeGreaterThan(0);
    expect((await pull('org/tiny')).bytes).toBeLessThan(WEIGHTS.length);
  });
});

describe('wrong bytes', () => {
  test.each(['model.safetensors', 'config.json'])('of %s are removed', async (path) => {
    fails(path, { type: 'wrongBytes' });
    expect(await refused(pull('org/tiny'))).toMatch(
      new RegExp(
        `^${path} came from .* with other bytes than its checksum says, and was removed; pull it again\\. \\[DOWNLOAD_CORRUPT\\]`,
      ),
    );
    expect(readdirSync(model('blobs')).filter((name) => name.endsWith('.incomplete'))).toEqual([]);
    expect(cached('org/tiny')).toBeUndefined();
    const { path: snapshot } = await pull('org/tiny');
    expect(readFileSync(join(snapshot, 'model.safetensors'))).toEqual(WEIGHTS);
  });

  test('of an earlier part are found, and a part that is too long is not used', async () => {
    const part = model('blobs', `${sha256(WEIGHTS)}.incomplete`);
    mkdirSync(dirname(part), { recursive: true });
    writeFileSync(part, 'nonsense');
    expect(await refused(pull('org/tiny'))).toContain('[DOWNLOAD_CORRUPT]');
    writeFileSync(part, Buffer.alloc(WEIGHTS.length + 1));
    expect((await pull('org/tiny')).bytes).toBe(WEIGHTS.length);
  });
});

describe('patience', () => {
  test('waits as long as a busy hub asks for, and no longer than its failures allow', async () => {
    fails('*', { type: 'status', status: 429, retryAfter: '0' }, { type: 'status', status: 503 });
    fails('model.safetensors', { type: 'status', status: 500 }, { type: 'status', status: 429 });
    await pull('org/tiny');
    fails('*', ...Array.from({ length: 3 }, () => ({ type: 'status', status: 429 }) as const));
    expect(await refused(pull('org/tiny'))).toMatch(
      /is busy \(status 429\); wait a while and try again, or set HF_TOKEN, which raises its limits\. \[HUB_UNREACHABLE\]/,
    );
  });
});

describe('a refusal says what to do', () => {
  test.each<[string, string, Partial<HubSettings>, RegExp]>([
    [
      'a name that does not exist',
      'org/none',
      {},
      /has no model org\/none; check the name, and set HF_TOKEN if it is private\. \[CHECKPOINT_NOT_FOUND\]/,
    ],
    [
      'a revision that does not exist',
      'org/tiny:v9',
      {},
      /org\/tiny has no revision 'v9'; .* \[CHECKPOINT_NOT_FOUND\]/,
    ],
    ['a private model', 'org/private', {}, /has no model org\/private; .* \[CHECKPOINT_NOT_FOUND\]/],
    [
      'a gated model',
      'org/gated',
      {},
      /org\/gated is gated: accept its terms at .*\/org\/gated, then set HF_TOKEN to a token of that account\. \[HUB_DENIED\]/,
    ],
    [
      'a gated model and the token of another',
      'org/gated',
      { token: 'other' },
      /then use a token of that account\. \[HUB_DENIED\]/,
    ],
    [
      'a wrong token',
      'org/tiny',
      { token: 'wrong' },
      /does not accept the token; make one at .* \[HUB_DENIED\]/,
    ],
    [
      'no weights',
      'org/onnx',
      {},
      /has no model that Aloft reads.* it has config\.json, model\.onnx\. \[CHECKPOINT_NOT_FOUND\]/,
    ],
    [
      'a type that is not there',
      'org/quants:Q2_K',
      {},
      /has no GGUF file of type Q2_K; it has tiny-Q4_K_M\.gguf, .* \[CHECKPOINT_NOT_FOUND\]/,
    ],
    [
      'parts of a GGUF file',
      'org/quants:F32',
      {},
      /is one of several parts of a GGUF file.* \[UNSUPPORTED\]/,
    ],
  ])('%s', async (_, name, changed, sentence) => {
    hub.tokens.add('other');
    expect(await refused(pull(name, changed))).toMatch(sentence);
    expect(cached(name)).toBeUndefined();
  });

  test('a hub that is away', async () => {
    await hub.close();
    expect(await refused(pull('org/tiny'))).toMatch(
      /^The hub \(.*\) cannot be reached: connect ECONNREFUSED .*; check the connection and HF_ENDPOINT\. \[HUB_UNREACHABLE\]$/,
    );
  });

  test('an address at which something else answers', async () => {
    fails('*', { type: 'page' });
    expect(await refused(pull('org/tiny'))).toMatch(
      /does not answer as a hub of models does; .* \[HUB_UNREACHABLE\]/,
    );
    hub.models.set('org/odd', { revisions: { main: 'no commit' }, files: {} });
    expect(await refused(pull('org/odd'))).toMatch(
      /does not answer as a hub of models does; .* \[HUB_UNREACHABLE\]/,
    );
  });

  test.each(['../out.gguf', '/out.gguf', 'a/../../out.gguf', 'a\\out.gguf'])(
    'a file by the name %s',
    async (path) => {
      hub.models.set('org/out', { revisions: { main: COMMIT }, files: { [path]: WEIGHTS } });
      expect(await refused(pull('org/out'))).toMatch(
        /does not answer as a hub of models does; .* \[HUB_UNREACHABLE\]/,
      );
    },
  );

  test('a disk that becomes full keeps what has come', async () => {
    const blobs = model('blobs');
    mkdirSync(blobs, { recursive: true });
    symlinkSync('/dev/full', join(blobs, `${sha256(WEIGHTS)}.incomplete`));
    expect(await refused(pull('org/tiny'))).toMatch(
      /model\.safetensors cannot be written to .*: the disk is full; free space and pull again, and it goes on from there\. \[OUTPUT_FAILED\]/,
    );
  });

  test('a cache in which nothing can be made', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(await refused(pull('org/tiny', { cacheDirectory: join(file, 'hub') }))).toMatch(
      /config\.json cannot be written to .*: ENOTDIR; check the folder, or name another one with HF_HUB_CACHE\. \[OUTPUT_FAILED\]/,
    );
  });

  test('a plan that its caller refuses leaves the large files alone', async () => {
    const refusal = new AloftError('OUTPUT_FAILED', 'Too large.');
    const pulled = pullModel(parseModelName('org/tiny')!, settings, {
      signal: new AbortController().signal,
      onPlan() {
        throw refusal;
      },
      onBytes() {},
    });
    expect(await refused(pulled)).toBe('Too large. [OUTPUT_FAILED]');
    expect(downloads()).toEqual([]);
  });
});

describe('without a network', () => {
  test('a model that was pulled is found, and one of which a file is missing is not', async () => {
    const { path } = await pull('org/sharded');
    const offline = { isOffline: true, endpoint: 'http://127.0.0.1:1' };
    expect((await pull('org/sharded', offline).catch(() => undefined))?.path).toBe(path);
    expect(cached('org/sharded')).toBe(path);
    expect(cached(`org/sharded:${COMMIT}`)).toBe(path);
    rmSync(join(path, SHARDS[1]!));
    expect(cached('org/sharded')).toBeUndefined();
    expect(await refused(pull('org/sharded', offline))).toMatch(
      /org\/sharded at main is not whole in .*, and HF_HUB_OFFLINE is set; .* \[CHECKPOINT_NOT_FOUND\]/,
    );
  });
});
