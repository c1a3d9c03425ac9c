import { afterEach, expect, it, vi } from 'vitest';
import { loadTokenizer } from '../../tokenizer/load.js';
import { ConstraintCompiler } from './constraint-compiler.js';

const DEMO = new URL('../../../../models/demo', import.meta.url).pathname;

afterEach(() => void vi.useRealTimers());

it('takes a task in the moment in which the idle thread ends', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { table } = await loadTokenizer(DEMO);
  const compiler = new ConstraintCompiler(table, table.tokenCount);
  const compile = (pattern: string) => compiler.compile({ type: 'regex', pattern }, false);
  const { tokens } = await compile('first');
  vi.advanceTimersByTime(60_000);
  await expect(compile('second')).resolves.toMatchObject({ tokens: { key: tokens.key } });
});

it('gives up a constraint that takes too long, and goes on with the next ones', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { table } = await loadTokenizer(DEMO);
  const compiler = new ConstraintCompiler(table, table.tokenCount);
  const compile = (pattern: string) => compiler.compile({ type: 'regex', pattern }, false);
  const [slow, next] = [compile('slow'), compile('next')];
  vi.advanceTimersByTime(10_000);
  await expect(slow).rejects.toThrow(/takes too long to compile/);
  await expect(next).resolves.toMatchObject({ grammar: { nodeCount: expect.any(Number) as number } });
});
