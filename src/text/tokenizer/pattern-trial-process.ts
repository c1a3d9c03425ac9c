/** The process of a trial: reads a tokenizer from its input and encodes texts that make regular expressions backtrack. */
import { text } from 'node:stream/consumers';
import { Tokenizer } from 'tokenizers';

/** Characters of each class that patterns of tokenizers distinguish. */
const RUNS = ['a', 'A', 'aA', '1', ' ', '\n', ' a', "'s", '.', '_', 'é', '你', '\u0301', '🙂', '\t ', 'ab1 '];
const ENDS = ['', '!', 'b', '\u0000', ' '];
/** Short ones for expressions that take twice as long for each character, long ones for those of a power. */
const LENGTHS = [41, 4000];

const library = Tokenizer.fromString(await text(process.stdin));
for (const length of LENGTHS)
  for (const run of RUNS)
    for (const end of ENDS) await library.encode(run.repeat(length) + end, null, { addSpecialTokens: false });
