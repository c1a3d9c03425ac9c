/** A tokenizer for engines of random weights: the demo model's, with as many tokens as the engine has. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from './json.mjs';

/**
 * Tokens beyond the demo model's are pairs of its pieces, which no text is encoded to: a mask allows or forbids them as it does the
 * longer tokens of a published vocabulary.
 * @param demo folder of the demo model
 * @param folder place of the new files
 * @param vocabulary number of ids
 */
export function writeWideTokenizer(demo, folder, vocabulary) {
  mkdirSync(folder, { recursive: true });
  const tokenizer = readJson(join(demo, 'tokenizer.json'));
  const { vocab } = tokenizer.model;
  const pieces = Object.keys(vocab).filter((piece) => !piece.startsWith('<'));
  let count = Object.keys(vocab).length;
  for (let distance = 1; count < vocabulary; distance++)
    for (let i = 0; i + distance < pieces.length && count < vocabulary; i++) {
      const pair = pieces[i] + pieces[i + distance];
      if (!Object.hasOwn(vocab, pair)) vocab[pair] = count++;
    }
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  for (const name of ['tokenizer_config.json', 'special_tokens_map.json'])
    copyFileSync(join(demo, name), join(folder, name));
}
