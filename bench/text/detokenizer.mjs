/**
 * Cost of streamed decoding per token, against the library's whole-sequence decode.
 *
 *   node bench/text/detokenizer.mjs [tokenizer_dir] [text_file]
 *
 * Prints microseconds per token: detokenizer alone, with two stop strings, and the library decoding all tokens at once.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measure } from 'mitata';
import { Tokenizer as LibraryTokenizer } from 'tokenizers';
import { SequenceText } from '../../dist/text/sequence-text.js';
import { loadTokenizer } from '../../dist/text/tokenizer/load.js';

const directory = process.argv[2] ?? 'models/demo';
const text = readFileSync(process.argv[3] ?? join(directory, 'heldout.txt'), 'utf8');
const tokenizer = await loadTokenizer(directory);
const library = LibraryTokenizer.fromFile(join(directory, 'tokenizer.json'));
const ids = await tokenizer.encode(text, { addSpecialTokens: true });

function stream(stops) {
  const options = { table: tokenizer.table, skipSpecialTokens: true, stops, includeStop: false };
  const sequence = new SequenceText(options);
  for (const id of ids) sequence.push(id);
  sequence.end();
  return sequence.text;
}

async function report(name, action) {
  const { p50 } = await measure(action);
  console.log(`${name.padEnd(32)} ${(p50 / 1000 / ids.length).toFixed(3)} us/token`);
}

console.log(`${ids.length} tokens, vocabulary of ${tokenizer.table.tokenCount}`);
await report('streamed', () => stream([]));
await report('streamed, two stop strings', () => stream(['\n\nUser:', '</never>']));
await report('library, all tokens at once', () => library.decode(ids, true));
