/** Faults of checkpoints and of the flags of `aloft build`. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  TINY_CONFIG,
  tinyTensors,
  type TinyTensors,
  writeTinyCheckpoint,
} from '../builder/testing/tiny-checkpoint.js';
import { pickle, storedZip } from '../builder/testing/torch-archive.js';
import { buildIn, expectMistake, type Mistake, temporaryRoot } from './command-line.js';
import { referencePath } from './reference-data.js';

const at = temporaryRoot();
const build = (...flags: readonly string[]) => buildIn(at, ...flags);

describe('aloft build', () => {
  const sharded = () => cpSync(referencePath('tiny/sharded-f16'), at('model'), { recursive: true });
  const tiny = (change: (tensors: TinyTensors) => void = () => {}, config = {}) => {
    const tensors = tinyTensors();
    change(tensors);
    mkdirSync(at('model'));
    writeTinyCheckpoint(at('model'), { ...TINY_CONFIG, ...config }, tensors);
  };
  const SHARD = 'model-00002-of-00003.safetensors';
  const NORM = 'model.norm.weight';

  const mistakes: readonly Mistake[] = [
    {
      what: 'a model directory that does not exist',
      code: 'CHECKPOINT_NOT_FOUND',
      message: /model directory .*\/model does not exist/,
      prepare: () => {},
    },
    {
      what: 'a model directory without weights',
      code: 'CHECKPOINT_NOT_FOUND',
      message: /No weights in .*\/model: there is no model\.safetensors/,
      prepare: () => {
        tiny();
        rmSync(at('model', 'model.safetensors'));
      },
    },
    {
      what: 'a missing shard',
      code: 'CHECKPOINT_NOT_FOUND',
      message: /model-00002-of-00003\.safetensors is missing, but .*index\.json names it\. Download it/,
      prepare: () => {
        sharded();
        rmSync(at('model', SHARD));
      },
    },
    {
      what: 'a truncated shard',
      code: 'CHECKPOINT_CORRUPT',
      message: /model-00002-of-00003\.safetensors is damaged: it is truncated.*Download it again/,
      prepare: () => {
        sharded();
        truncateSync(at('model', SHARD), 20_000);
      },
    },
    {
      what: 'an empty shard',
      code: 'CHECKPOINT_CORRUPT',
      message: /model-00002-of-00003\.safetensors/,
      prepare: () => {
        sharded();
        truncateSync(at('model', SHARD), 0);
      },
    },
    {
      what: 'a Git LFS pointer',
      code: 'CHECKPOINT_CORRUPT',
      message: /model\.safetensors is a Git LFS pointer.*git lfs pull/,
      prepare: () => {
        tiny();
        writeFileSync(
          at('model', 'model.safetensors'),
          'version https://git-lfs.github.com/spec/v1\noid x\n',
        );
      },
    },
    {
      what: 'a tensor of the wrong type',
      code: 'TENSOR_MISMATCH',
      message: /model\.safetensors: tensor 'model\.norm\.weight' has the type I32; .*Convert the checkpoint/,
      prepare: () => tiny((tensors) => tensors.set(NORM, { ...tensors.get(NORM)!, dtype: 'i32' })),
    },
    {
      what: 'a tensor of the wrong shape',
      code: 'TENSOR_MISMATCH',
      message:
        /tensor '.*q_proj\.weight' has the shape \[8, 32\], but .*config\.json asks for \[16, 16\]\. Correct/,
      prepare: () =>
        tiny((tensors) => {
          const name = 'model.layers.1.self_attn.q_proj.weight';
          tensors.set(name, { ...tensors.get(name)!, shape: [8, 32] });
        }),
    },
    {
      what: 'a missing tensor',
      code: 'TENSOR_MISSING',
      message: /lacks 1 of the 21 tensors .* needs: model\.norm\.weight\. Likely cause: config\.json/,
      prepare: () => tiny((tensors) => tensors.delete(NORM)),
    },
    {
      what: 'values that are not numbers',
      code: 'CHECKPOINT_CORRUPT',
      message:
        /model\.norm\.weight has 16 values that are infinite or not numbers; fetch the checkpoint again/,
      prepare: () =>
        tiny((tensors) => {
          const nan = new Uint8Array(new Float32Array(16).fill(NaN).buffer);
          tensors.set(NORM, { dtype: 'f32', shape: [16], bytes: nan });
        }),
    },
    {
      what: 'an unknown architecture',
      code: 'ARCHITECTURE_UNKNOWN',
      message: /config\.json: 'architectures' names 'MambaForCausalLM'/,
      prepare: () => tiny(undefined, { architectures: ['MambaForCausalLM'] }),
    },
    {
      what: 'a config.json that is not JSON',
      code: 'CHECKPOINT_CORRUPT',
      message: /config\.json is not valid JSON .*Download it again/,
      prepare: () => {
        tiny();
        writeFileSync(at('model', 'config.json'), '{');
      },
    },
    {
      what: 'a config.json without a field',
      code: 'CHECKPOINT_CONFIG',
      message: /config\.json: 'hidden_size'/,
      prepare: () => tiny(undefined, { hidden_size: undefined }),
    },
    {
      what: 'a pickle with code',
      code: 'CHECKPOINT_UNSAFE',
      message: /pytorch_model\.bin.*os\.system/,
      prepare: () => {
        tiny();
        rmSync(at('model', 'model.safetensors'));
        const marker = at('executed');
        const attack = pickle({
          dict: [[NORM, { call: { global: ['os', 'system'] }, args: [`touch ${marker}`] }]],
        });
        const entries: [string, Buffer][] = [
          ['model/data.pkl', attack],
          ['model/version', Buffer.from('3\n')],
        ];
        writeFileSync(at('model', 'pytorch_model.bin'), storedZip(entries));
      },
    },
    {
      what: 'ranks that do not divide the heads',
      code: 'SHARDING_IMPOSSIBLE',
      message: /tp_size.*3.*heads/,
      prepare: () => tiny(),
      flags: ['--tp_size', '3', '--world_size', '3'],
    },
    {
      what: 'an unknown flag',
      code: 'USAGE',
      message:
        /unknown option '--max-bach-size' \(Did you mean --max-batch-size\?\) See 'aloft build --help'/,
      prepare: () => tiny(),
      flags: ['--max_bach_size', '4'],
    },
    {
      what: 'a value out of range',
      code: 'USAGE',
      message: /--max_batch_size is '0', but must be a whole number from 1/,
      prepare: () => tiny(),
      flags: ['--max_batch_size', '0'],
    },
    {
      what: 'an unknown dtype',
      code: 'USAGE',
      message: /--dtype.*float8.*float32, bfloat16, float16/,
      prepare: () => tiny(),
      flags: ['--dtype', 'float8'],
    },
    {
      what: 'values beyond float16',
      code: 'TENSOR_MISMATCH',
      message: /beyond the range of float16; build with --dtype bfloat16 or float32/,
      prepare: () =>
        tiny((tensors) => {
          const head = tensors.get('lm_head.weight')!;
          const bytes = new Uint8Array(new Float32Array(37 * 16).fill(1e6).buffer);
          tensors.set('lm_head.weight', { ...head, bytes });
        }),
      flags: ['--dtype', 'float16'],
    },
  ];

  test.each(mistakes)('$what', async ({ code, message, prepare, flags = [] }) => {
    prepare();
    const before = readdirSync(at());
    expectMistake(await build(...flags), code, message);
    expect(readdirSync(at())).toEqual(before); // no half-made output, and no code was run
  });

  test('an output directory that is not empty; --force replaces an engine and nothing else', async () => {
    tiny();
    expect((await build('--dtype', 'float32')).status).toBe(0);
    const config = readFileSync(at('engine', 'config.json'), 'utf8');
    expectMistake(await build(), 'OUTPUT_EXISTS', /\/engine .*--force/);
    expect(readFileSync(at('engine', 'config.json'), 'utf8')).toBe(config);
    expect((await build('--dtype', 'float16', '--force')).status).toBe(0);
    expect(readdirSync(at('engine'))).toContain('llama_float16_tp1_rank0.engine');
    expect(readdirSync(at('engine'))).not.toContain('llama_float32_tp1_rank0.engine');
    rmSync(at('engine'), { recursive: true });
    mkdirSync(at('engine'));
    writeFileSync(at('engine', 'thesis.txt'), 'years of work');
    expectMistake(await build('--force'), 'OUTPUT_EXISTS', /\/engine/);
    expect(readFileSync(at('engine', 'thesis.txt'), 'utf8')).toBe('years of work');
    expect(readdirSync(at()).toSorted()).toEqual(['engine', 'model']);
  });
});
