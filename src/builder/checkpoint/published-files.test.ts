/** Directories as people have them on disk: what is read, what is refused, and the sentence that helps. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asOther } from '../../core/testing/other-user.js';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG, withDirectory, writeTinyCheckpoint } from '../testing/tiny-checkpoint.js';
import { openCheckpoint } from './open.js';

const config = JSON.stringify(TINY_CONFIG);
const write = (directory: string, name: string, text: string) => writeFileSync(join(directory, name), text);

/** Warnings of a checkpoint that can be opened after this change. */
async function warningsAfter(change: (directory: string) => void): Promise<readonly string[]> {
  return withDirectory((directory) => {
    writeTinyCheckpoint(directory);
    change(directory);
    const { tensors, warnings } = openCheckpoint(directory);
    expect(tensors.info('model.norm.weight')?.file).toBe(join(directory, 'model.safetensors'));
    tensors.dispose();
    return warnings;
  });
}

describe('JSON as editors and Python write it', () => {
  test('may begin with a byte order mark', async () => {
    expect(await warningsAfter((directory) => write(directory, 'config.json', `\ufeff${config}`))).toEqual(
      [],
    );
    expect(
      await warningsAfter((directory) => write(directory, 'generation_config.json', '\ufeff{"top_k": -1}')),
    ).toEqual([]);
  });

  test.each([
    ['"initializer_range": NaN', 'initializer_range'],
    ['"a": {"b": [1, -Infinity]}', '1'],
    ['"note": "NaN, Infinity \\" NaN", "x": Infinity', 'x'],
  ])('may hold %s, which a warning names', async (member, name) => {
    const text = config.replace('{', `{${member}, `);
    const warnings = await warningsAfter((directory) => write(directory, 'config.json', text));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/config\.json: '.*' is NaN or Infinity, which JSON does not have/);
    expect(warnings[0]).toContain(`'${name}'`);
  });

  test.each([
    ['', /config\.json is not valid JSON \(it is empty\)/],
    ['{"a": nan}', /config\.json is not valid JSON/],
    ['{"a": NaNs}', /config\.json is not valid JSON/],
  ])('is refused when it is neither: %j', async (text, message) => {
    await withDirectory((directory) => {
      writeTinyCheckpoint(directory);
      write(directory, 'config.json', text);
      expect(faultOf(() => openCheckpoint(directory))).toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
      expect(faultOf(() => openCheckpoint(directory)).message).toMatch(message);
    });
  });
});

describe('a whole file of weights', () => {
  test.each([
    ['names shards that are gone', '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'],
    ['has no map', '{}'],
  ])('goes before an index that %s, with a warning', async (_, index) => {
    const warnings = await warningsAfter((directory) =>
      write(directory, 'model.safetensors.index.json', index),
    );
    expect(warnings).toEqual([
      expect.stringMatching(
        /model\.safetensors holds the weights, so .*model\.safetensors\.index\.json beside it is ignored/,
      ),
    ]);
  });
});

/** The sentence about a directory that `make` fills. */
async function sentenceOn(make: (directory: string) => void): Promise<{ code: string; message: string }> {
  return withDirectory((root) => {
    const directory = join(root, 'it');
    mkdirSync(directory);
    make(directory);
    const { code, message } = faultOf(() => openCheckpoint(directory));
    return { code, message: message.replaceAll(root, '') };
  });
}

describe('a directory that is no checkpoint', () => {
  test.each<[string, (directory: string) => void, RegExp]>([
    [
      'a LoRA adapter',
      (d) => {
        write(d, 'adapter_config.json', '{"base_model_name_or_path": "org/base"}');
        write(d, 'adapter_model.safetensors', '');
      },
      /^\/it holds a LoRA adapter of org\/base, not a whole model\. Merge it into org\/base first/,
    ],
    [
      "a LoRA adapter with a copy of its base's config.json",
      (d) => {
        write(d, 'config.json', config);
        write(d, 'adapter_config.json', '{}');
      },
      /^\/it holds a LoRA adapter of its base model/,
    ],
    [
      'the cache folder of a model',
      (d) => {
        for (const name of ['blobs', 'refs', 'snapshots/aaa', 'snapshots/bbb'])
          mkdirSync(join(d, name), { recursive: true });
        write(d, 'refs/main', 'bbb\n');
      },
      /^\/it is a folder of the cache of Hugging Face\. Name the snapshot in it: \/it\/snapshots\/bbb$/,
    ],
    [
      'the cache of all models',
      (d) => mkdirSync(join(d, 'models--org--name')),
      /holds models--org--name\. Name a snapshot of one: \/it\/models--org--name\/snapshots\/HASH/,
    ],
    [
      'a folder of snapshots',
      (d) => writeInner(d, 'abc'),
      /^\/it has no config\.json, but \/it\/abc has\. Name that\./,
    ],
    [
      'a GGUF file',
      (d) => write(d, 'model-q4.gguf', ''),
      /^\/it holds a GGUF file\. Name it: \/it\/model-q4\.gguf$/,
    ],
    [
      'GGUF files beside a config.json',
      (d) => (write(d, 'config.json', config), write(d, 'a.gguf', ''), write(d, 'b.gguf', '')),
      /^\/it holds GGUF files\. Name one of them: \/it\/a\.gguf, \/it\/b\.gguf$/,
    ],
    [
      'parts without their index',
      (d) => (write(d, 'config.json', config), write(d, 'pytorch_model-00002-of-00003.bin', '')),
      /such as pytorch_model-00002-of-00003\.bin, but lacks pytorch_model\.bin\.index\.json/,
    ],
    [
      'weights by another name',
      (d) => (write(d, 'config.json', config), write(d, 'weights.safetensors', '')),
      /^\/it holds weights by the name weights\.safetensors\. Rename the file to model\.safetensors\.$/,
    ],
    [
      'weights by several names',
      (d) => (write(d, 'config.json', config), write(d, 'a.safetensors', ''), write(d, 'b.safetensors', '')),
      /by the names a\.safetensors, b\.safetensors, but no model\.safetensors\.index\.json/,
    ],
    [
      'TensorFlow weights',
      (d) => (write(d, 'config.json', config), write(d, 'tf_model.h5', '')),
      /TensorFlow/,
    ],
    [
      "Meta's own form",
      (d) => (write(d, 'params.json', '{}'), write(d, 'consolidated.00.pth', '')),
      /own form/,
    ],
    ['a pipeline', (d) => write(d, 'model_index.json', '{}'), /pipeline of diffusers/],
    [
      'an engine',
      (d) => write(d, 'config.json', '{"builder_config": {}}'),
      /^\/it is an engine, which is built already/,
    ],
    ['empty', () => {}, /config\.json is missing\. Name a Hugging Face model directory/],
  ])('gets the sentence that helps: %s', async (_, make, message) => {
    const fault = await sentenceOn(make);
    expect(fault.code).toBe('CHECKPOINT_NOT_FOUND');
    expect(fault.message).toMatch(message);
  });

  test.each(['model.safetensors', 'config.json', 'tokenizer.json', 'generation_config.json'])(
    'with a link to nothing says so: %s',
    async (name) => {
      const fault = await sentenceOn((directory) => {
        writeTinyCheckpoint(directory);
        rmSync(join(directory, name), { force: true });
        symlinkSync('../blobs/0123', join(directory, name));
      });
      expect(fault.code).toBe('CHECKPOINT_CORRUPT');
      expect(fault.message).toBe(
        `/it/${name} is a link to ../blobs/0123, which is gone. Download the model again.`,
      );
    },
  );
});

test.each(['config.json', 'tokenizer.json', 'tokenizer.model', 'model.safetensors'])(
  'a pointer of Git LFS is named: %s',
  async (name) => {
    const fault = await sentenceOn((directory) => {
      writeTinyCheckpoint(directory);
      write(directory, name, 'version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 9\n');
    });
    expect(fault).toEqual({
      code: 'CHECKPOINT_CORRUPT',
      message: `/it/${name} is a Git LFS pointer, not the file itself. Run 'git lfs pull' in the model directory.`,
    });
  },
);

function writeInner(directory: string, name: string): void {
  mkdirSync(join(directory, name));
  write(join(directory, name), 'config.json', config);
}

test.each([
  ['another kind of model', { architectures: ['T5ForConditionalGeneration'] }],
  ['its sizes by other names', { architectures: ['GPT2LMHeadModel'], intermediate_size: undefined }],
])('an unknown architecture is named before its fields are looked at: %s', async (_, fields) => {
  const fault = await sentenceOn((directory) =>
    write(directory, 'config.json', JSON.stringify({ ...fields, model_type: 'x' })),
  );
  expect(fault.code).toBe('ARCHITECTURE_UNKNOWN');
  expect(fault.message).toMatch(/'architectures' names '.*', which Aloft does not know/);
});

describe('a file that may not be read', () => {
  test.each([
    'model.safetensors',
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'shard.safetensors',
  ])('is named with the reason: %s', async (name) => {
    await withDirectory((directory) => {
      chmodSync(directory, 0o755);
      writeTinyCheckpoint(directory);
      write(directory, 'tokenizer.json', '{}');
      write(directory, 'generation_config.json', '{}');
      if (name === 'shard.safetensors') {
        renameSync(join(directory, 'model.safetensors'), join(directory, name));
        write(directory, 'model.safetensors.index.json', `{"weight_map": {"a": "${name}"}}`);
      }
      chmodSync(join(directory, name), 0o000);
      const fault = faultOf(() => asOther(() => openCheckpoint(directory)));
      expect(fault.code).toBe('FILE_UNREADABLE');
      expect(fault.message).toBe(
        `${join(directory, name)} may not be read by this user; change its permissions or its owner.`,
      );
    });
  });

  test('as a whole directory', async () => {
    await withDirectory((root) => {
      chmodSync(root, 0o755);
      const directory = join(root, 'model');
      mkdirSync(directory);
      writeTinyCheckpoint(directory);
      chmodSync(directory, 0o000);
      const fault = faultOf(() => asOther(() => openCheckpoint(directory)));
      chmodSync(directory, 0o755);
      expect(fault.code).toBe('FILE_UNREADABLE');
      expect(fault.message).toMatch(/model\/config\.json may not be read by this user/);
    });
  });

  test('because it is a directory', async () => {
    const fault = await sentenceOn((directory) => {
      writeTinyCheckpoint(directory);
      rmSync(join(directory, 'model.safetensors'));
      mkdirSync(join(directory, 'model.safetensors'));
    });
    expect(fault).toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(/is a directory, not a file/),
    });
  });
});
