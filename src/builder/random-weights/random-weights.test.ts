import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import { expect, test } from 'vitest';
import { openCheckpoint } from '../checkpoint/open.js';
import { faultOf } from '../testing/fault.js';
import { floatsOf } from '../testing/row-major-layout.js';
import { withDirectory } from '../testing/tiny-checkpoint.js';
import { randomCheckpoint } from './random-checkpoint.js';
import { randomTokenizer } from './random-tokenizer.js';
import { type LlamaShape, NAMED_SHAPES, namedShape } from './shapes.js';
import { writeRandomCheckpoint } from './write-checkpoint.js';

const SMALL: LlamaShape = {
  ...NAMED_SHAPES['tinyllama_1b']!,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 600,
};
const Q = 'model.layers.0.self_attn.q_proj.weight';

test('parameters of the named shapes are as published', () => {
  const billions = Object.entries(NAMED_SHAPES).map(([name, shape]) => {
    const { hidden_size: h, num_key_value_heads: kv, num_attention_heads: heads } = shape;
    const attention = 2 * h * h + (2 * h * h * kv) / heads;
    const layer = attention + 3 * h * shape.intermediate_size + 2 * h;
    return [
      name,
      Number(((2 * shape.vocab_size * h + h + shape.num_hidden_layers * layer) / 1e9).toFixed(2)),
    ];
  });
  expect(Object.fromEntries(billions)).toEqual({
    llama_7b: 6.74,
    llama_13b: 13.02,
    llama_30b: 32.53,
    llama_70b: 68.98,
    llama_65b: 65.29,
    llama2_7b: 6.74,
    llama2_13b: 13.02,
    llama2_70b: 68.98,
    llama3_8b: 8.03,
    llama3_70b: 70.55,
    tinyllama_1b: 1.1,
  });
  const fault = faultOf(() => namedShape('llama2_8b'));
  expect(fault.code).toBe('USAGE');
  expect(fault.message).toMatch(/Did you mean 'llama/);
});

test('the same seed gives the same weights, in any order of reading', () => {
  const [a, b, c] = [randomCheckpoint(SMALL, 1), randomCheckpoint(SMALL, 1), randomCheckpoint(SMALL, 2)];
  const first = Array.from(a.tensors.read(Q).bytes);
  b.tensors.read('lm_head.weight');
  expect(Array.from(b.tensors.read(Q).bytes)).toEqual(first);
  expect(Array.from(c.tensors.read(Q).bytes)).not.toEqual(first);
  expect(Array.from(a.tensors.read('model.layers.1.self_attn.q_proj.weight').bytes)).not.toEqual(first);
  for (const { tensors } of [a, b, c]) tensors.dispose();
});

test('matrices are normal with deviation 0.02, norms are one', () => {
  const { tensors } = randomCheckpoint({ ...SMALL, vocab_size: 20_000 }, 3);
  const values = floatsOf(tensors.read('lm_head.weight'));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const beyondTwo =
    values.reduce((count, value) => count + Number(Math.abs(value) > 0.04), 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(1e-4);
  expect(Math.sqrt(variance)).toBeCloseTo(0.02, 3);
  expect(beyondTwo).toBeCloseTo(0.0455, 2);
  expect(new Set(floatsOf(tensors.read('model.norm.weight')))).toEqual(new Set([1]));
  tensors.dispose();
});

test('a written checkpoint reads back as the one in memory', async () => {
  await withDirectory((root) => {
    const directory = join(root, 'model');
    writeRandomCheckpoint(directory, SMALL, 1);
    expect(readdirSync(directory).toSorted()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    const [memory, disk] = [randomCheckpoint(SMALL, 1), openCheckpoint(directory)];
    expect({ ...disk.config, path: '' }).toEqual({ ...memory.config, path: '' });
    expect(disk.generation).toEqual(memory.generation);
    for (const name of [Q, 'model.embed_tokens.weight', 'model.norm.weight'])
      expect(Buffer.compare(disk.tensors.read(name).bytes, memory.tensors.read(name).bytes)).toBe(0);
    for (const { tensors } of [memory, disk]) tensors.dispose();
    expect(faultOf(() => writeRandomCheckpoint(directory, SMALL, 1)).code).toBe('OUTPUT_EXISTS');
  });
});

test('shards are cut like published ones', async () => {
  await withDirectory((root) => {
    const directory = join(root, 'model');
    writeRandomCheckpoint(directory, SMALL, 1, 60_000);
    const files = readdirSync(directory).filter((name) => name.startsWith('model'));
    expect(files.length).toBeGreaterThan(3);
    const index = JSON.parse(readFileSync(join(directory, 'model.safetensors.index.json'), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    expect(new Set(Object.values(index.weight_map)).size).toBe(files.length - 1);
    const { tensors } = openCheckpoint(directory);
    const memory = randomCheckpoint(SMALL, 1).tensors;
    expect(Buffer.compare(tensors.read(Q).bytes, memory.read(Q).bytes)).toBe(0);
    tensors.dispose();
    memory.dispose();
  });
});

test('the tokenizer loads, encodes any text and decodes it again', async () => {
  const tokenizer = Tokenizer.fromString(JSON.stringify(randomTokenizer(600)));
  expect(tokenizer.getVocabSize()).toBe(600);
  for (const text of ['Hello, world!', 'naïve café 東京 🚀', '  two spaces']) {
    const ids = (await tokenizer.encode(text)).getIds();
    expect(ids[0]).toBe(1);
    expect(await tokenizer.decode(ids, true)).toBe(text);
  }
});
