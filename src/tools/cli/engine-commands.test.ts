import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  closeSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aloft, buildDemo, type CommandResult, temporaryFolder } from './testing/command-line.js';

const folder = temporaryFolder();
const engine = folder.path('engine');
let built: CommandResult;

beforeAll(async () => {
  built = await buildDemo(engine, '--use_inflight_batching', '--use_gpt_attention_plugin', 'float16');
});
afterAll(() => folder.dispose());

describe('build', () => {
  test('reports parts, and says what was given and changes nothing', () => {
    expect(built.status).toBe(0);
    expect(built.err).toMatch(/\[I\] --use_inflight_batching: Every engine can run in-flight batching\./);
    expect(built.err).toMatch(/^total +\d/m);
    expect(built.err).toMatch(/Engine .* built in [\d.]+ s; peak memory/);
  });

  test('a directory that is not empty is refused, with --force an engine in it is replaced', async () => {
    const refused = await buildDemo(engine);
    expect([refused.status, refused.err]).toEqual([2, expect.stringMatching(/\[OUTPUT_EXISTS\]/) as string]);
    expect((await buildDemo(engine, '--force')).status).toBe(0);
  });

  test('Ctrl-C ends it with status 130 and leaves nothing behind', async () => {
    const target = folder.path('stopped', 'engine');
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('../../../bin/aloft.js', import.meta.url)),
      ...['build', '--random_weights', 'tinyllama_1b', '--output_dir', target],
    ]);
    let err = '';
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    // Not at 'exit': what it has printed may come later.
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    while (!existsSync(folder.path('stopped')) || readdirSync(folder.path('stopped')).length === 0)
      await setTimeout(20);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(err).toMatch(/Stopped by SIGINT; nothing half done is left\. \[CANCELLED\]/);
    expect(readdirSync(folder.path('stopped'))).toEqual([]);
  });
});

describe('engine', () => {
  test('check says what it verified', async () => {
    const { status, out } = await aloft('engine', 'check', engine);
    expect(status).toBe(0);
    expect(out).toMatch(/llama_float16_tp1_rank0\.engine .* header and all data match their checksums/);
    expect(out).toMatch(/is whole: 12\.\d MiB in 1 file, format \d/);
  });

  test('check finds one flipped bit and names the place', async () => {
    const damaged = folder.path('damaged');
    cpSync(engine, damaged, { recursive: true });
    const file = openSync(`${damaged}/llama_float16_tp1_rank0.engine`, 'r+');
    writeSync(file, Uint8Array.of(0x55), 0, 1, 7_000_001);
    closeSync(file);
    const { status, err } = await aloft('engine', 'check', damaged);
    expect(status).toBe(2);
    expect(err).toMatch(/chunk 1 of 4 \(near tensor '.*'\) does not match its checksum.*\[ENGINE_CORRUPT\]/);
  });

  test('show prints limits, plan and tensors', async () => {
    const { out } = await aloft('engine', 'show', engine, '--plan');
    expect((await aloft('engine', 'show', engine)).out).not.toContain('ropeAppend');
    const facts = JSON.parse((await aloft('engine', 'show', engine, '--json')).out) as object;
    expect(facts).toMatchObject({
      manifest: {},
      plan: { ops: expect.anything() },
      tensors: expect.anything(),
    });
    expect(JSON.parse((await aloft('engine', 'check', engine, '--json')).out)).toMatchObject({
      isWhole: true,
    });
    expect(out).toMatch(/^limits +4 sequences, prompts of 128 and outputs of 64 tokens/m);
    expect(out).toMatch(/^ +3 {2}ropeAppend\(qkv\[tokens, 512\], layer 0/m);
    expect(out).toMatch(/^lm_head\.weight +f16 +\[.*\] +2\.00 MiB$/m);
    expect((await aloft('engine', 'show', engine, '--rank', '1')).err).toMatch(/has 1 rank,.*\[USAGE\]/);
  });
});

describe('run', () => {
  const prompt = ['--input_text', 'What is deep learning ?'];

  test('answers in the words of the original, and names the end', async () => {
    const words = ['run', '--engine_dir', engine, ...prompt, '--max_output_len', '16'];
    const { status, out, err } = await aloft(...words);
    expect(status).toBe(0);
    expect(out).toMatch(/^Input: "What is deep learning \?"\nOutput: "[^"]{20,}"\n$/);
    expect(err).toMatch(/^\[\d+ prompt tokens, 16 output tokens, .* ended by length\]\n$/);
    const asJson = await aloft(...words, '--json', '--temperature', '0', '--input_text', 'Once');
    const answers = asJson.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    const answer = { sequences: [{ finishReason: 'length' }], usage: { outputTokens: 16 } };
    expect(answers).toMatchObject([answer, answer]);
  });

  test('--warmup changes no text', async () => {
    const words = ['run', '--engine_dir', engine, ...prompt, '--temperature', '0', '--max_output_len', '16'];
    const textOf = async (...more: string[]) =>
      /Output: "[^"]*"/.exec((await aloft(...words, ...more)).out)![0];
    expect(await textOf('--warmup')).toBe(await textOf());
  });

  test('streamed text of several prompts is the text at once, prompt after prompt', async () => {
    const both = [
      ...prompt,
      '--temperature',
      '0',
      '--input_text',
      'Once upon a time',
      '--max_output_len',
      '24',
    ];
    const whole = await aloft('run', '--engine_dir', engine, ...both);
    const streamed = await aloft(
      'run',
      '--engine_dir',
      engine,
      ...both,
      '--streaming',
      '--streaming_interval',
      '5',
    );
    expect(streamed.out).toBe(whole.out);
    expect(streamed.out).toMatch(/Input: "Once upon a time"/);
    expect(streamed.err.match(/ended by /g)).toHaveLength(2);
  });

  test('token ids in and out: --input_tokens and --output_csv', async () => {
    const [ids, result] = [folder.path('ids.csv'), folder.path('deep', 'out.csv')];
    writeFileSync(ids, '1,5,9\n1,7\n');
    const { status } = await aloft(
      ...['run', '--engine_dir', engine, '--input_tokens', ids, '--output_csv', result],
      ...['--max_output_len', '4', '--ignore_eos'],
    );
    expect(status).toBe(0);
    const lines = readFileSync(result, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(',').map(Number));
    expect(lines.map((line) => line.length)).toEqual([7, 7]);
    expect(lines[0]!.slice(0, 3)).toEqual([1, 5, 9]);
    expect(lines[1]!.slice(0, 2)).toEqual([1, 7]);
    expect(lines[1]!.at(-1)).toBe(2); // the shorter row is padded with the end id
  });

  test.each([
    [['--input_tokens', 'ids.npy'], /format of --input_tokens ids\.npy is not supported; .*\.csv/],
    [['--output_npy', 'x.npy'], /--output_npy is not supported: use --output_csv/],
    [['--max_output_len', '65'], /64/],
    [['--input_text', 'x '.repeat(150)], /\[PROMPT_TOO_LONG\]/],
  ])('%j is refused in one sentence', async (flags, message) => {
    const { status, err } = await aloft('run', '--engine_dir', engine, ...flags);
    expect(status).toBe(2);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  test('an engine without tokenizer says so, and --tokenizer_dir helps', async () => {
    const bare = folder.path('bare');
    cpSync(engine, bare, { recursive: true, filter: (path) => !/tokenizer/.test(path) });
    const { status, err } = await aloft('run', '--engine_dir', bare, ...prompt);
    expect(status).toBe(2);
    expect(err).toMatch(/No tokenizer\.json or tokenizer\.model in .*bare.*\[TOKENIZER_NOT_FOUND\]/);
    const helped = await aloft(
      'run',
      '--engine_dir',
      bare,
      '--tokenizer_dir',
      engine,
      ...prompt,
      '--max_output_len',
      '2',
    );
    expect(helped.status).toBe(0);
  });
});

describe('bench', () => {
  const quick = ['--duration', '0', '--num_runs', '2', '--warm_up', '0'];

  test('measures what fits, and what does not is a row with its bytes', async () => {
    const result = folder.path('result.json');
    const { status, out } = await aloft(
      ...['bench', '-m', 'demo', '--engine_dir', engine, ...quick, '--json', result],
      ...[
        '--batch_size',
        '1;4;8',
        '--input_output_len',
        '32,8;300,8',
        '--max_tokens_in_paged_kv_cache',
        '64',
      ],
    );
    expect(status).toBe(0);
    expect(out).toMatch(/^\[BENCHMARK\] model_name demo .* batch_size 1 .* tokens_per_sec [\d.]+ /m);
    expect(out).toMatch(/batch_size 4 .* tokens_per_sec OOM .* wanted_bytes 589824 available_bytes 196608$/m);
    expect(out).toMatch(/\[WARNING\] check batch_size\(8\) <= max_batch_size\(4\) failed, skipping\./);
    expect(out).toMatch(/\[WARNING\] check inlen\(300\) <= max_inlen\(128\)/);
    const { rows, machine } = JSON.parse(readFileSync(result, 'utf8')) as Record<string, unknown[]>;
    expect(rows).toHaveLength(2);
    expect(machine).toMatchObject({ node: process.version });
  });

  test('beams and requests in flight', async () => {
    const beams = await aloft(
      ...['bench', '--engine_dir', engine, ...quick, '--num_beams', '2', '--batch_size', '2'],
      ...['--input_output_len', '16,4'],
    );
    expect([beams.status, beams.out]).toEqual([0, expect.stringMatching(/output_length 4 /) as string]);
    const inflight = await aloft(
      ...['bench', '--engine_dir', engine, '--type', 'IFB', '--num_requests', '6'],
      ...[
        '--input_len',
        'constant:16',
        '--output_len',
        'constant:4',
        '--scheduler_policy',
        'max_utilization',
      ],
    );
    expect(inflight.out).toMatch(/Requests, mean input and output tokens: +6, 16\.0, 4\.0/);
  });

  test("limits of a build are benchmark.py's flags beside an engine, too, and change nothing", async () => {
    const quick = ['--warm_up', '0', '--num_runs', '1', '--duration', '0'];
    const sizes = ['--batch_size', '2', '--input_output_len', '16,4', '--max_batch_size', '1'];
    const { status, out } = await aloft('bench', '--engine_dir', engine, ...quick, ...sizes);
    expect(out).toMatch(/^\[WARNING\] --max_batch_size changes nothing about an engine that is built/);
    expect([status, out]).toEqual([0, expect.stringMatching(/batch_size 2 input_length 16 /) as string]);
  });

  test.each([
    [['--refit'], /--refit is not supported: .*\[UNSUPPORTED\]/],
    [['--force_num_layer_1'], /--force-num-layer-1 is not supported: build with .*--n_layer 1/],
    [['--dtype', 'float32'], /Engine dtype \(float16\) != Runtime dtype \(float32\)/],
    [['--output_dir', 'x'], /--output_dir is for an engine of --random_weights; add that flag/],
  ])('%j is refused', async (flags, message) => {
    const { status, err } = await aloft('bench', '--engine_dir', engine, ...flags);
    expect([status, err]).toEqual([2, expect.stringMatching(message) as string]);
  });
});

test('plan-memory of an engine and of flags of a build agree', async () => {
  const memory = ['--free_memory', '1GiB'];
  const limits = ['--max_batch_size', '4', '--max_input_len', '128', '--max_output_len', '64'];
  const ofEngine = await aloft('plan-memory', '--engine_dir', engine, ...memory);
  const model = fileURLToPath(new URL('../../../models/demo', import.meta.url));
  const ofFlags = await aloft('plan-memory', '--model_dir', model, ...limits, ...memory);
  expect(ofFlags).toEqual(ofEngine);
  expect(ofEngine.out).toMatch(/All 4 sequences .* fit at their full 192 tokens/);
  const asJson = await aloft('plan-memory', '--engine_dir', engine, ...memory, '--json');
  expect(JSON.parse(asJson.out)).toMatchObject({
    freeBytes: 2 ** 30,
    maxRows: 4,
    fittingSequences: expect.any(Number),
  });
  const none = await aloft('plan-memory', '--engine_dir', engine, '--free_memory', '1MiB');
  expect([none.status, none.err]).toEqual([1, expect.stringMatching(/need .* more than is free/) as string]);
});
