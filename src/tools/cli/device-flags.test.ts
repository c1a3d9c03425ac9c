/** Flags that only engines of another kind of device have a use for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LLM } from '../../llm/llm.js';
import { aloft, buildDemo, DEMO_MODEL, temporaryFolder } from './testing/command-line.js';

const folder = temporaryFolder();
const engine = folder.path('engine');
beforeAll(() => buildDemo(engine, '--device', 'cpu'));
afterAll(() => folder.dispose());

const FLAGS = [
  ['--gpu', '0'],
  ['--share_gpu'],
  ['--collectives', 'auto'],
  ['--one_shot_rows', '4'],
  ['--max_device_memory', '1GB'],
  ['--cuda_library_path', '/cuda'],
];
const COMMANDS = [
  ['run', engine, 'Hello'],
  ['chat', engine],
  ['bench', engine],
  ['bench', '--type', 'IFB', '--engine_dir', engine],
  ['profile', '--engine_dir', engine],
  ['serve', engine],
  ['serve', '--engine_dir', engine],
  ['verify', engine, DEMO_MODEL],
];

test.each([
  ...COMMANDS.map((command) => [[...command, '--gpu', '0']]),
  ...FLAGS.map((flag) => [['run', engine, 'Hello', ...flag]]),
])('%j is refused, because the engine is for the CPU', async (words) => {
  const { status, out, err } = await aloft(...words);
  const [flag] = words.slice(2).filter((word) => FLAGS.some(([name]) => name === word));
  expect([status, out, err]).toEqual([
    2,
    '',
    `aloft: ${flag} is for engines that were built for 'cuda', and the one in ${engine} was built for 'cpu'; leave it out. [USAGE]\n`,
  ]);
});

test('a program that loads the engine is refused them, too', async () => {
  await expect(LLM.load(engine, { gpu: 0 })).rejects.toMatchObject({ code: 'USAGE' });
  await (await LLM.load(engine, { shareGpu: false, threadCount: 1 })).close();
});

test.each([
  [
    ['bench', '--engine_dir', engine, '--device', 'cuda'],
    /^aloft: --device is for an engine of --random_weights;/,
  ],
  [['bench', engine, '--kv_cache_dtype', 'int8'], /--kv_cache_dtype is for an engine of --random_weights;/],
  [
    ['bench', '--random_weights', '--device', 'cpu', '--gpu', '0'],
    /^aloft: --gpu .* the one of --random_weights was/,
  ],
  [
    ['build', '--device', 'cpu', '--cuda_library_path', '/cuda'],
    /^aloft: --cuda_library_path is for engines of a GPU/,
  ],
  [['build', '--device', 'cpu', '--arch', 'sm_90a'], /^aloft: --arch is for engines of a GPU/],
  [
    ['plan-memory', '--engine_dir', engine, '--arch', 'sm_90a'],
    /^aloft: --arch is for what is not built yet/,
  ],
  [['chat', '--url', 'localhost:1', '--gpu', '0'], /^aloft: --gpu is for an engine that is loaded here;/],
  [['chat', '--url', 'localhost:1', '--tokenizer_dir', 'x'], /^aloft: --tokenizer_dir is for an engine/],
])('%j is refused before anything is built or loaded', async (words, message) => {
  const isBuild = words[0] === 'build';
  const paths = isBuild ? ['--model_dir', DEMO_MODEL, '--output_dir', folder.path('none')] : [];
  const { status, out, err } = await aloft(...words, ...paths);
  expect([status, out, err]).toEqual([2, '', expect.stringMatching(message) as string]);
});
