import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadTokenizer } from '../../../dist/text/tokenizer/load.js';
import { writeWideTokenizer } from './wide-tokenizer.mjs';

const DEMO = fileURLToPath(new URL('../../../models/demo', import.meta.url));

test('every id of the engine has a text of its own, and texts are encoded as before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-wide-tokenizer-'));
  try {
    writeWideTokenizer(DEMO, folder, 32_000);
    const [wide, demo] = await Promise.all([loadTokenizer(folder), loadTokenizer(DEMO)]);
    const text = 'Once upon a time there was a little girl .';
    const how = { addSpecialTokens: true };
    expect(await wide.encode(text, how)).toEqual(await demo.encode(text, how));
    const texts = Array.from({ length: 32_000 - 4096 }, (_, i) =>
      wide.decode([4096 + i], { skipSpecialTokens: true }),
    );
    expect(texts.filter((one) => one.length === 0)).toEqual([]);
    expect(texts.at(-1)).not.toBe(texts.at(-2));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
