/** Faults of engines and of prompts of `aloft run`. */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { CUDA_LAYOUT_VERSION } from '../device/cuda/cuda-weight-layout.js';
import { DEMO_MODEL } from './build-and-open.js';
import { aloft } from '../tools/cli/testing/command-line.js';
import { buildIn, expectMistake, type Mistake, temporaryRoot } from './command-line.js';

const at = temporaryRoot();
const run = (...flags: readonly string[]) => aloft('run', '--engine_dir', at('engine'), ...flags);

function changeJson(path: string, change: (json: Record<string, Record<string, unknown>>) => void): void {
  const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>;
  change(json);
  writeFileSync(path, JSON.stringify(json));
}

describe('aloft run', () => {
  const ENGINE = 'llama_float16_tp1_rank0.engine';
  beforeEach(async () => {
    cpSync(DEMO_MODEL, at('model'), {
      recursive: true,
      filter: (path) => !path.endsWith('training') && !path.endsWith('.txt'),
    });
    const { status, err } = await buildIn(at, '--max_input_len', '16', '--max_output_len', '16');
    expect(status, err).toBe(0);
  });

  const flip = (position: (byteLength: number) => number) => {
    const bytes = readFileSync(at('engine', ENGINE));
    bytes[position(bytes.length)]! ^= 1;
    writeFileSync(at('engine', ENGINE), bytes);
  };
  const manifest = (change: (json: Record<string, Record<string, unknown>>) => void) =>
    changeJson(at('engine', 'config.json'), change);

  const mistakes: readonly Mistake[] = [
    {
      what: 'no engine',
      code: 'ENGINE_NOT_FOUND',
      message: /No engine in .*\/engine: config\.json is missing.*aloft build/,
      prepare: () => rmSync(at('engine'), { recursive: true }),
    },
    {
      what: 'a file in place of an engine',
      code: 'ENGINE_NOT_FOUND',
      message:
        /\/engine is a file, but an engine is a directory\. .*'aloft build --model_dir .*\/engine --output/,
      prepare: () => {
        rmSync(at('engine'), { recursive: true });
        writeFileSync(at('engine'), 'GGUF');
      },
    },
    {
      what: 'a checkpoint in place of an engine',
      code: 'ENGINE_NOT_FOUND',
      message:
        /belongs to a Hugging Face checkpoint, .*'aloft build --model_dir .*\/engine --output_dir \.\/engine'/,
      prepare: () => writeFileSync(at('engine', 'config.json'), '{"model_type": "llama"}'),
    },
    {
      what: 'an engine without its weights',
      code: 'ENGINE_NOT_FOUND',
      message: /rank0\.engine is missing\. Copy it again, or build/,
      prepare: () => rmSync(at('engine', ENGINE)),
    },
    {
      what: 'an engine of another format version',
      code: 'ENGINE_VERSION',
      message: /config\.json has format version 99, this Aloft reads version \d+\. Build the engine again/,
      prepare: () => manifest((json) => (json['aloft']!['format_version'] = 99)),
    },
    {
      what: 'an engine of another weight layout',
      code: 'ENGINE_VERSION',
      message: /layout 99, this Aloft reads layout \d+\. Build the engine again/,
      prepare: () => manifest((json) => (json['aloft']!['layout_version'] = 99)),
    },
    {
      what: 'an engine that says it is for another device',
      code: 'ENGINE_CORRUPT',
      message: /engine in .*\/engine is not what its plan says: tensor .* is f32 .*Build the engine again/,
      prepare: () =>
        manifest((json) =>
          Object.assign(json['aloft']!, { device: 'cuda', layout_version: CUDA_LAYOUT_VERSION }),
        ),
    },
    {
      what: 'an engine for several ranks',
      code: 'WORLD_SIZE_MISMATCH',
      message: /built for 2 ranks, 1 /,
      prepare: () => manifest((json) => (json['builder_config']!['tensor_parallel'] = 2)),
      flags: ['--world_size', '1'],
    },
    {
      what: 'an engine that lacks a rank',
      code: 'ENGINE_CORRUPT',
      message: /config\.json names no file for rank 1\./,
      prepare: () => manifest((json) => (json['builder_config']!['tensor_parallel'] = 2)),
    },
    {
      what: 'a flipped bit in the first weights',
      code: 'ENGINE_CORRUPT',
      message: /rank0\.engine is damaged: chunk 0 .*does not match its checksum\. Copy it again/,
      prepare: () => flip((length) => length >> 3),
    },
    {
      what: 'a flipped bit in the last weights',
      code: 'ENGINE_CORRUPT',
      message: /rank0\.engine is damaged: chunk .*does not match its checksum/,
      prepare: () => flip((length) => length - 1),
    },
    {
      what: 'a flipped bit in the header',
      code: 'ENGINE_CORRUPT',
      message: /rank0\.engine is damaged: its header/,
      prepare: () => flip(() => 100),
    },
    {
      what: 'a truncated engine',
      code: 'ENGINE_CORRUPT',
      message: /rank0\.engine is damaged: it has 5000000 bytes, config\.json says \d+/,
      prepare: () => truncateSync(at('engine', ENGINE), 5_000_000),
    },
    {
      what: 'a config.json that is not JSON',
      code: 'ENGINE_CORRUPT',
      message: /config\.json/,
      prepare: () => truncateSync(at('engine', 'config.json'), 50),
    },
    {
      what: 'a missing tokenizer',
      code: 'TOKENIZER_NOT_FOUND',
      message: /No tokenizer\.json or tokenizer\.model in .*\/engine; .*tokenizer_dir/,
      prepare: () => {
        rmSync(at('engine', 'tokenizer.json'));
        rmSync(at('engine', 'tokenizer.model'));
      },
    },
    {
      what: 'a damaged tokenizer',
      code: 'TOKENIZER_INVALID',
      message: /tokenizer\.json/,
      prepare: () => truncateSync(at('engine', 'tokenizer.json'), 1000),
    },
    {
      what: 'a prompt longer than max_input_len',
      code: 'PROMPT_TOO_LONG',
      message: /prompt .*\d+ tokens.*16/i,
      prepare: () => {},
      flags: ['--input_text', 'one two three four five six seven eight nine ten eleven twelve '.repeat(3)],
    },
    {
      what: 'an unknown flag',
      code: 'USAGE',
      message: /unknown option '--temprature' \(Did you mean --temperature\?\)/,
      prepare: () => {},
      flags: ['--temprature', '1'],
    },
    {
      what: 'token ids beyond the vocabulary',
      code: 'REQUEST_INVALID',
      message: /prompt\[1\] is 5000, but token ids of this model are 0 to 4095/,
      prepare: () => writeFileSync(at('ids.csv'), '1,5000\n'),
      flags: ['--input_file', 'ids.csv'],
    },
  ];

  test.each(mistakes)('$what', async ({ code, message, prepare, flags = [] }) => {
    prepare();
    const paths = flags.map((flag) => (flag === 'ids.csv' ? at(flag) : flag));
    const output = ['--output_csv', at('answers.csv')];
    const result = await run('--max_output_len', '8', ...output, ...paths);
    expectMistake({ ...result, out: result.out.replace(/^Running the .*\n/, '') }, code, message);
    expect(readdirSync(at())).not.toContain('answers.csv');
  });
});

test('the program itself ends with status 2 and one line', () => {
  const program = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [program, 'run', '--engine_dir', at('nothing')],
    { encoding: 'utf8' },
  );
  expectMistake({ status: status!, out: stdout, err: stderr }, 'ENGINE_NOT_FOUND', /No engine in .*nothing/);
});
