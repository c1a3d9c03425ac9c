import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspect } from './inspection.js';
import { inspectionText } from './inspection-text.js';

const path = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const DEMO = path('models/demo');

describe('inspect', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'aloft-inspect-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has the sizes, formats, tokenizer and memory of a checkpoint', async () => {
    const found = await inspect(DEMO);
    expect(found).toMatchObject({
      kind: 'checkpoint',
      model: 'llama',
      parameterCount: 6_450_432,
      stored: [{ name: 'F16', tensorCount: 57, elements: 6_450_432 }],
      tokenizer: { tokenCount: 4096, bos: '<s>', eos: '</s>', hasChatTemplate: true, hasThoughts: false },
      worldSizes: [1, 2],
    });
    // 6 layers, keys and values, 4 heads of 32: in 16 bits, and in 8 with a scale of 4 bytes a vector.
    const [plain, int8Cache, int8Weights] = found.memory;
    expect([plain!.kvBytesPerToken, int8Cache!.kvBytesPerToken]).toEqual([
      6 * 2 * 4 * 32 * 2,
      6 * 2 * 4 * (32 + 4),
    ]);
    expect(int8Weights!.weightBytes).toBeLessThan(plain!.weightBytes);
    const text = inspectionText(found, DEMO);
    expect(text).toMatch(/^context +1,024 tokens, RoPE base 10,000$/m);
    expect(text).toMatch(/^ranks +1, 2 \(--tp_size, --device cuda\)$/m);
  });

  it('says of a mixture of experts what it is, and which device its sizes are for', async () => {
    const text = inspectionText(await inspect(path('oracle/families/qwen3-moe')), 'moe');
    expect(text).toMatch(/^experts +8 a layer, 3 a token$/m);
    expect(text).toMatch(/^tokenizer +No tokenizer.json or tokenizer.model in/m);
    const small = inspectionText(await inspect(path('oracle/tiny/gqa-f16')), 'tiny');
    expect(small).toContain('Memory with --device cpu');
  });

  it('refuses a directory that is no model as a build does', async () => {
    mkdirSync(join(folder, 'other'));
    copyFileSync(join(DEMO, 'tokenizer.json'), join(folder, 'other/tokenizer.json'));
    await expect(inspect(join(folder, 'other'))).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    await expect(inspect(join(folder, 'none'))).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
  });
});
