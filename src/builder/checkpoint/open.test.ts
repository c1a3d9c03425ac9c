import { mkdirSync, rmSync, writeFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultOf } from '../testing/fault.js';
import {
  TINY_CONFIG,
  tinyTensors,
  withDirectory,
  writeSafetensors,
  writeTinyCheckpoint,
} from '../testing/tiny-checkpoint.js';
import { openCheckpoint } from './open.js';

/** Two shards and their index. */
function writeShards(directory: string): void {
  const tensors = Array.from(tinyTensors());
  const halves = [tensors.slice(0, 9), tensors.slice(9)];
  const weightMap: Record<string, string> = {};
  for (const [index, half] of halves.entries()) {
    const file = `model-0000${index + 1}-of-00002.safetensors`;
    writeSafetensors(join(directory, file), new Map(half));
    for (const [name] of half) weightMap[name] = file;
  }
  writeFileSync(join(directory, 'config.json'), JSON.stringify(TINY_CONFIG));
  writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
}

test('opens a sharded checkpoint as one set of tensors', async () => {
  await withDirectory((directory) => {
    writeShards(directory);
    const { tensors, config, generation } = openCheckpoint(directory);
    expect(config.layerCount).toBe(2);
    expect(generation.endIds).toEqual([2, 3]);
    for (const [name, { bytes }] of tinyTensors())
      expect(Buffer.from(tensors.read(name).bytes)).toEqual(Buffer.from(bytes));
    expect(tensors.info('nothing')).toBeUndefined();
    tensors.dispose();
  });
});

test('lists the tokenizer files that are there', async () => {
  await withDirectory((directory) => {
    writeTinyCheckpoint(directory);
    writeFileSync(join(directory, 'tokenizer.json'), '{}');
    writeFileSync(join(directory, 'README.md'), '');
    const named = join(directory, 'additional_chat_templates');
    mkdirSync(named);
    for (const name of ['tool_use.jinja', 'rag.jinja', 'notes.txt']) writeFileSync(join(named, name), '');
    const { tokenizerFiles, tensors } = openCheckpoint(directory);
    expect(tokenizerFiles).toEqual([
      join(directory, 'tokenizer.json'),
      join(named, 'rag.jinja'),
      join(named, 'tool_use.jinja'),
    ]);
    tensors.dispose();
  });
});

test.each([
  [
    'a missing shard',
    (d: string) => rmSync(join(d, 'model-00002-of-00002.safetensors')),
    /model-00002-of-00002\.safetensors is missing/,
  ],
  [
    'a path in the index',
    (d: string) => writeFileSync(join(d, 'model.safetensors.index.json'), '{"weight_map":{"a":"../x"}}'),
    /is not a file of this directory/,
  ],
  [
    'an index without a map',
    (d: string) => writeFileSync(join(d, 'model.safetensors.index.json'), '{}'),
    /'weight_map' is missing/,
  ],
  [
    'a pointer file',
    (d: string) =>
      writeFileSync(
        join(d, 'model-00001-of-00002.safetensors'),
        'version https://git-lfs.github.com/spec/v1\noid',
      ),
    /git lfs pull/,
  ],
  ['no config', (d: string) => rmSync(join(d, 'config.json')), /config\.json is missing/],
  [
    'a malformed config',
    (d: string) => writeFileSync(join(d, 'config.json'), '{'),
    /config\.json is not valid JSON/,
  ],
  [
    'a config that is a list',
    (d: string) => writeFileSync(join(d, 'config.json'), '[]'),
    /config\.json is not a JSON object/,
  ],
  ['no directory', (d: string) => rmSync(d, { recursive: true }), /does not exist/],
  [
    'no index of the weights',
    (d: string) => rmSync(join(d, 'model.safetensors.index.json')),
    /holds parts of the weights, such as model-00001-of-\d+\.safetensors, but lacks model\.safetensors\.index\.json/,
  ],
  [
    'no weights',
    (d: string) => {
      for (const name of readdirSync(d)) if (name !== 'config.json') rmSync(join(d, name));
    },
    /No weights in/,
  ],
])('refuses %s in one sentence', async (_, damage, message) => {
  await withDirectory((root) => {
    const directory = join(root, 'model');
    mkdirSync(directory);
    writeShards(directory);
    damage(directory);
    const fault = faultOf(() => openCheckpoint(directory));
    expect(fault.code).toMatch(/^CHECKPOINT_/);
    expect(fault.kind.exit).toBe(2);
    expect(fault.message).toMatch(message);
  });
});
