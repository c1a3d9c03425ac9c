/** Checkpoints that AWQ, GPTQ and FP8 quantised: their codes are taken over, and logits and text are those of their weights in numpy. */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../builder/checkpoint/open.js';
import { floatsOf } from '../builder/testing/row-major-layout.js';
import { formatText } from '../plan/weight-format.js';
import { openExecutor } from '../run/ranks/open-engine.js';
import { GREEDY } from '../core/sampling.js';
import { tokenRequest } from '../run/batcher/testing/mixed-requests.js';
import { type BuildFlags, buildTemporaryEngine, withModel } from './build-and-open.js';
import { DEVICE } from './device.js';
import { allLogits, argmaxOfRows, haveSameBits, shareOfRange } from './logits.js';
import { referenceJson, referencePath, referenceTensors } from './reference-data.js';
import { outcomesOf } from './requests.js';

interface Reference {
  readonly sample: string;
  readonly ids: readonly number[];
  readonly argmax: readonly number[];
  readonly continuation: readonly number[];
}

/** Format of each checkpoint that can be taken over. */
const FORMATS: Readonly<Record<string, string>> = {
  'awq-g128': 'int4 per 128 inputs with zeros',
  'awq-g64-partly': 'int4 per 64 inputs with zeros',
  'gptq-g128-zeros': 'int4 per 128 inputs with zeros',
  'gptq-g32': 'int4 per 32 inputs',
  'gptq-v2-g64-zeros': 'int4 per 64 inputs with zeros',
  'gptq-rows': 'int4 per 128 inputs',
  'gptq-act-order': 'int4 per 32 inputs in act order',
  'fp8-tensor-partly': 'fp8 per channel',
  'fp8-channel': 'fp8 per channel',
  'fp8-tensor-with-head': 'fp8 per channel',
};

/** Messages of builds for two ranks, by a word of the format. */
const REFUSALS: readonly (readonly [part: string, message: RegExp])[] = [
  [
    '128',
    /--tp_size 2 cuts 'layers.0.attention.dense.weight' within the checkpoint's groups of 128 inputs: a rank has 64 of 128/,
  ],
  [
    'act order',
    /--tp_size 2 cuts 'layers.0.attention.dense.weight' by inputs, whose groups lie in act order over all of them/,
  ],
];

const pathOf = (name: string): string => referencePath(`quantised/${name}`);
const referenceOf = (name: string): Reference =>
  referenceJson(`quantised/${name}/reference.json`) as Reference;
const expectedOf = (name: string) => referenceTensors(`quantised/${name}/logits.safetensors`);

const logitsOf = (name: string, flags: BuildFlags, chunkTokens?: number): Promise<Float32Array> =>
  withModel({ model_dir: pathOf(name), ...flags }, { maxKvTokens: 64 }, (executor) =>
    allLogits(executor, referenceOf(name).ids, chunkTokens),
  );

const onCpu = test.runIf(DEVICE === 'cpu');

test('every checkpoint of the reference is tested', () => {
  expect(readdirSync(referencePath('quantised')).toSorted()).toEqual(Object.keys(FORMATS).toSorted());
});

describe.each(Object.keys(FORMATS))('%s', (name) => {
  const { ids, argmax, continuation, sample } = referenceOf(name);

  test('holds the weights that it was made of', () => {
    const { tensors, config } = openCheckpoint(pathOf(name));
    expect(formatText(config.quantisation!.format)).toBe(FORMATS[name]);
    expect(tensors.info(sample)!.shape).toEqual([64, 128]);
    expect(floatsOf(tensors.read(sample))).toEqual(expectedOf(name).get(sample)!);
    tensors.dispose();
  });

  if (DEVICE === 'cuda')
    test('has the logits of its weights on a GPU', async () => {
      const logits = await logitsOf(name, { dtype: 'float16' });
      expect(shareOfRange(logits, expectedOf(name).get('logits')!)).toBeLessThan(1e-2);
    });

  onCpu('has the logits of its weights, as codes and as numbers', async () => {
    const expected = expectedOf(name).get('logits')!;
    const numbers = await logitsOf(name, { dtype: 'float32', quantization: 'none' });
    expect(shareOfRange(numbers, expected)).toBeLessThan(1e-5);
    const codes = await logitsOf(name, { dtype: 'float32' });
    expect(shareOfRange(codes, expected)).toBeLessThan(1e-3); // activations of 16 bits; 2.1e-4 seen
    expect(argmaxOfRows(codes, 96)).toEqual(argmax);
  });

  onCpu('has the same bits in chunks of 3 tokens', async () => {
    const [whole, chunked] = [await logitsOf(name, {}), await logitsOf(name, {}, 3)];
    expect(haveSameBits(chunked, whole)).toBe(true);
  });

  onCpu('is cut between groups for two ranks of this host, or refused', async () => {
    const flags = { model_dir: pathOf(name), dtype: 'float32', tp_size: '2', world_size: '2' };
    const refusal = REFUSALS.find(([part]) => FORMATS[name]!.includes(part));
    if (refusal !== undefined) {
      await expect(buildTemporaryEngine(flags)).rejects.toThrow(refusal[1]);
      return;
    }
    const engine = await buildTemporaryEngine(flags);
    const executor = await openExecutor({
      engineDirectory: engine.directory,
      threadCount: 1,
      maxKvTokens: 64,
    });
    try {
      const expected = expectedOf(name).get('logits')!;
      expect(shareOfRange(await allLogits(executor, ids), expected)).toBeLessThan(1e-3);
    } finally {
      await executor.dispose();
      engine.dispose();
    }
  });

  onCpu('continues its prompt as its weights do, alone and beside others', async () => {
    const requests = Array.from({ length: 5 }, (_, i) =>
      tokenRequest(`${i}`, {
        promptTokenIds: Int32Array.from(i === 0 ? ids : ids.slice(i)),
        sampling: GREEDY,
        maxOutputTokens: continuation.length,
        endIds: [],
      }),
    );
    const flags = { model_dir: pathOf(name), dtype: 'float32', max_num_tokens: '24' };
    for (const count of [1, requests.length]) {
      const outcomes = await withModel(flags, { maxKvTokens: 512 }, (executor) =>
        outcomesOf(executor, requests.slice(0, count)),
      );
      expect(outcomes[0]!.sequences.get(0)!.tokenIds).toEqual(continuation);
    }
  });
});

onCpu('a module that is dense although the configuration says otherwise is named', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'aloft-test-'));
  try {
    cpSync(pathOf('awq-g64-partly'), directory, { recursive: true });
    const config = referenceJson('quantised/awq-g64-partly/config.json') as Record<string, object>;
    const section = { ...config['quantization_config'], modules_to_not_convert: null };
    const changed = { ...config, quantization_config: section };
    writeFileSync(join(directory, 'config.json'), JSON.stringify(changed));
    await expect(buildTemporaryEngine({ model_dir: directory })).rejects.toThrow(
      /tensor 'model\.layers\.0\.self_attn\.q_proj\.weight' is F16, but the quantization_config of .* says that it is int4 per 64 inputs with zeros\. Add its module to 'modules_to_not_convert'/,
    );
    const dense = { model_dir: directory, dtype: 'float32', quantization: 'none' };
    const logits = await withModel(dense, { maxKvTokens: 64 }, (executor) =>
      allLogits(executor, referenceOf('awq-g64-partly').ids),
    );
    expect(shareOfRange(logits, expectedOf('awq-g64-partly').get('logits')!)).toBeLessThan(1e-5);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
