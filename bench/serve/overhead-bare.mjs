/** A part of overhead.mjs: the Node API in a process of its own. */
import { LLM } from '../../dist/index.js';
import { runClosedLoop } from './closed-loop.mjs';

const [engine, threads] = process.argv.slice(2);
const llm = await LLM.load(engine, threads === '0' ? {} : { threadCount: Number(threads) });

process.on('message', (job) => void runClosedLoop(job, request).then((result) => process.send(result)));
process.once('disconnect', () => void llm.close());
process.send('ready');

async function request(prompt, maxOutputTokens) {
  const startMs = performance.now();
  let ttftMs;
  let text = '';
  let tokenCount = 0;
  // The server asks for the rest of the prompt's text; both ways must do the same work.
  const input = { prompt, temperature: 0, maxOutputTokens, continuesPrompt: true };
  for await (const event of llm.generate(input)) {
    // An answer may end before its first token, which the server's client sees as its first message, too.
    if (event.type === 'text' || event.type === 'sequence') ttftMs ??= performance.now() - startMs;
    if (event.type === 'text') text += event.text;
    if (event.type === 'failed') throw new Error(event.error.message);
    if (event.type === 'finished') tokenCount = event.usage.outputTokens;
  }
  return { ttftMs, text, tokenCount };
}
