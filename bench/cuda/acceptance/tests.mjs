import { join } from 'node:path';

const WANTED = /answers part in|of the range|^perplexity|^\s*(float16|bfloat16|int8): \[|^\d+ passed/;

/** The tests of the repository that a bundle made with `--tests` holds. @returns their figures and their last line */
export async function tests(session) {
  const vitest = join(session.app, 'node_modules/vitest/vitest.mjs');
  const words = ['run', '--config', 'vitest.cuda.config.mjs', '--no-color'];
  const printed = await session.runLine([process.execPath, vitest, ...words], 540, session.app);
  return printed
    .split('\n')
    .filter((line) => WANTED.test(line))
    .join('\n');
}
