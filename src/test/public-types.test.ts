/** A program in TypeScript compiles against the package as strictly as its author likes, without the types of our libraries. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'aloft-types-'));
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(ROOT, join(directory, 'node_modules/aloft'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const PROGRAM = `import { AloftError, LLM } from 'aloft';
import { GrpcClient, HttpClient } from 'aloft/client';
await using llm: LLM = await LLM.load('./engine');
const ids: number[] = await llm.tokenizer.encode('a', { addSpecialTokens: true });
for await (const event of llm.generate({ prompt: 'a' })) if (event.type === 'text') event.text.trim();
export { AloftError, GrpcClient, HttpClient, ids };
`;

test.each([
  ['nodenext', { module: 'nodenext', target: 'es2022' }],
  ['a bundler', { module: 'esnext', moduleResolution: 'bundler', target: 'es2024' }],
])('strict, with all declarations checked, for %s', (_, options) => {
  const compilerOptions = { ...options, strict: true, skipLibCheck: false, noEmit: true, types: [] };
  writeFileSync(join(directory, 'program.ts'), PROGRAM);
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const { stdout, status } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
