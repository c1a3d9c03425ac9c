import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultOf } from '../testing/fault.js';
import { withDirectory } from '../testing/tiny-checkpoint.js';
import { readPooling } from './pooling.js';

const TYPE = 'sentence_transformers.models.';
const TRANSFORMER = { type: `${TYPE}Transformer`, path: '' };
const POOLING = { type: `${TYPE}Pooling`, path: '1_Pooling' };
const NORMALISE = { type: `${TYPE}Normalize`, path: '2_Normalize' };

interface Published {
  readonly modules?: unknown;
  readonly pooling?: object;
  readonly folder?: string;
}

function readPublished<T>(published: Published, read: (directory: string) => T): Promise<T> {
  return withDirectory((directory) => {
    const { modules, pooling, folder = '1_Pooling' } = published;
    if (modules !== undefined) writeFileSync(join(directory, 'modules.json'), JSON.stringify(modules));
    mkdirSync(join(directory, folder));
    if (pooling !== undefined) writeFileSync(join(directory, folder, 'config.json'), JSON.stringify(pooling));
    return read(directory);
  });
}

test.each<[Published, string, boolean]>([
  [{}, 'last', true],
  [{ modules: [TRANSFORMER, POOLING], pooling: { pooling_mode_mean_tokens: true } }, 'mean', false],
  [
    {
      modules: [TRANSFORMER, POOLING, NORMALISE],
      pooling: { pooling_mode_lasttoken: true, pooling_mode_mean_tokens: false },
    },
    'last',
    true,
  ],
  [{ pooling: { pooling_mode_cls_token: true, word_embedding_dimension: 4 } }, 'cls', true],
  [
    {
      modules: [TRANSFORMER, { ...POOLING, path: 'own' }],
      folder: 'own',
      pooling: { pooling_mode_cls_token: true },
    },
    'cls',
    false,
  ],
  [{ modules: [TRANSFORMER, NORMALISE] }, 'last', true],
])('of %j is %s', async (published, pooling, isNormalised) => {
  expect(await readPublished(published, readPooling)).toEqual({ pooling, isNormalised });
});

test.each<[Published, string, RegExp]>([
  [
    { pooling: { pooling_mode_max_tokens: true } },
    'UNSUPPORTED',
    /asks for the pooling pooling_mode_max_tokens; .*--pooling/,
  ],
  [
    { pooling: { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true } },
    'UNSUPPORTED',
    /mean_tokens and pooling_mode_cls_token/,
  ],
  [{ pooling: {} }, 'UNSUPPORTED', /the pooling none/],
  [
    { modules: [TRANSFORMER, { type: `${TYPE}Dense`, path: '2_Dense' }] },
    'UNSUPPORTED',
    /a module of the type .*Dense, .*--pooling/,
  ],
  [{ modules: {} }, 'CHECKPOINT_CORRUPT', /is no list of modules/],
  [{ modules: [{ ...POOLING, path: '../..' }] }, 'CHECKPOINT_CORRUPT', /is no list of modules/],
])('%j is refused', async (published, code, sentence) => {
  const fault = await readPublished(published, (directory) => faultOf(() => readPooling(directory)));
  expect([fault.code, fault.message]).toEqual([code, expect.stringMatching(sentence)]);
});
