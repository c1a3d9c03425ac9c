import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { Tokenizer as LibraryTokenizer } from 'tokenizers';
import { describe, expect, it } from 'vitest';
import { loadChatTemplate } from './chat-template.js';
import { Detokenizer } from './detokenizer.js';
import { loadTokenizer } from './tokenizer/load.js';

const DEMO = fileURLToPath(new URL('../../models/demo', import.meta.url));
const isPresent = existsSync(join(DEMO, 'tokenizer.json'));

describe.skipIf(!isPresent)('the demo model’s tokenizer (skipped where models/demo has none)', () => {
  // The file separates its texts with the end token.
  const lines = isPresent ? readFileSync(join(DEMO, 'heldout.txt'), 'utf8').split(/\n|<\/s>/) : [];

  it('gives the same ids from tokenizer.json and from tokenizer.model', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'aloft-demo-'));
    await cp(DEMO, directory, { recursive: true, filter: (path) => !path.includes('training') });
    await rm(join(directory, 'tokenizer.json'));
    const [fromJson, fromModel] = [await loadTokenizer(DEMO), await loadTokenizer(directory)];
    for (const line of [...lines, '你好 🙂 naïve café', '  two  spaces '])
      expect(await fromModel.encode(line, { addSpecialTokens: true })).toEqual(
        await fromJson.encode(line, { addSpecialTokens: true }),
      );
    expect(fromModel.specialTokens).toEqual(fromJson.specialTokens);
    expect(fromModel.table.bytes).toEqual(fromJson.table.bytes);
  });

  it('streams its held-out text back without loss', async () => {
    const tokenizer = await loadTokenizer(DEMO);
    for (const line of lines) {
      const ids = await tokenizer.encode(line, { addSpecialTokens: true });
      const detokenizer = new Detokenizer(tokenizer.table, { skipSpecialTokens: true });
      expect(ids.map((id) => detokenizer.push(id)).join('') + detokenizer.end()).toBe(line);
    }
  });

  it('decodes random tokens as the library does', async () => {
    const tokenizer = await loadTokenizer(DEMO);
    const library = LibraryTokenizer.fromFile(join(DEMO, 'tokenizer.json'));
    const anyTokens = fc.array(fc.nat(tokenizer.table.tokenCount - 1), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(anyTokens, fc.boolean(), async (ids, skipSpecialTokens) => {
        const text = tokenizer.decode(ids, { skipSpecialTokens });
        fc.pre(!text.includes('\uFFFD'));
        expect(text).toBe(await library.decode([...ids], skipSpecialTokens));
      }),
      { numRuns: 500 },
    );
  });

  it('has a chat template that its tokenizer understands', async () => {
    const tokenizer = await loadTokenizer(DEMO);
    const template = await loadChatTemplate(DEMO, tokenizer.specialTokens);
    const prompt = template?.render([{ role: 'user', content: 'Hello' }], {}) ?? '';
    const ids = await tokenizer.encode(prompt, { addSpecialTokens: false });
    expect(ids.filter((id) => id === tokenizer.bosId)).toHaveLength(1);
    expect(ids[0]).toBe(tokenizer.bosId);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toContain('Hello');
  });
});
