import { describe, expect, it } from 'vitest';
import { loadGenerationDefaults } from './generation-config.js';
import { loadTokenizer } from './tokenizer/load.js';
import { directoryWith, llama2Json } from './testing/test-tokenizers.js';

async function defaults(files: Readonly<Record<string, unknown>>) {
  const directory = await directoryWith({ 'tokenizer.json': llama2Json(), ...files });
  return loadGenerationDefaults(directory, await loadTokenizer(directory));
}

describe('loadGenerationDefaults', () => {
  it('is greedy without a file', async () => {
    expect(await defaults({})).toEqual({
      doSample: false,
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      endIds: [],
    });
  });

  it('joins the end ids of the file and of the tokenizer', async () => {
    const files = {
      'generation_config.json': { do_sample: true, temperature: 0.6, top_p: 0.9, eos_token_id: [7, 2] },
      'tokenizer_config.json': { eos_token: '</s>' },
    };
    expect(await defaults(files)).toMatchObject({
      doSample: true,
      temperature: 0.6,
      topP: 0.9,
      endIds: [7, 2],
    });
    expect(await defaults({ ...files, 'generation_config.json': { eos_token_id: 7 } })).toMatchObject({
      endIds: [7, 2],
    });
  });

  it('names a wrong field', async () => {
    await expect(defaults({ 'generation_config.json': { top_p: 'high' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^top_p in .*generation_config\.json must be a number/),
    });
  });
});
