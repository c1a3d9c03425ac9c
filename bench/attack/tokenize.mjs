/** Loads the tokenizer and the chat template of a directory, and uses both as a server does. */
import { AloftError } from '../../dist/core/errors.js';
import { loadChatTemplate } from '../../dist/text/load-chat-template.js';
import { loadTokenizer } from '../../dist/text/tokenizer/load.js';

const [directory] = process.argv.slice(2);
try {
  const tokenizer = await loadTokenizer(directory);
  for (const text of ['hello world', `${'a'.repeat(41)}!`, ' '.repeat(2000), '你好 😀\n\t', '1'.repeat(500)])
    await tokenizer.encode(text, { addSpecialTokens: true });
  const template = await loadChatTemplate(directory, tokenizer.specialTokens);
  template?.render([{ role: 'user', content: 'hello' }], {
    tools: [{ type: 'function', function: { name: 'f' } }],
  });
} catch (error) {
  if (!(error instanceof AloftError)) throw error;
  console.error(`${error.message} [${error.code}]`);
  process.exitCode = 2;
}
