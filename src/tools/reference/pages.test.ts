import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { REFERENCE_PAGES } from './pages.js';

const folder = fileURLToPath(new URL('../../../docs/reference/', import.meta.url));

test.each(Object.entries(REFERENCE_PAGES))(
  'docs/reference/%s is up to date (else: npm run reference)',
  async (name, render) => {
    expect(readFileSync(`${folder}${name}`, 'utf8')).toBe(await render());
  },
);

test('docs/reference holds nothing but generated pages', () => {
  // That of the Node API is written by `npm run docs`, from comments.
  expect(readdirSync(folder).toSorted()).toEqual([...Object.keys(REFERENCE_PAGES), 'api.md'].toSorted());
});

const hasGroff = spawnSync('groff', ['--version']).status === 0;

test.skipIf(!hasGroff)(
  'the manual page is one that man can show [needs groff: apt-get install groff]',
  () => {
    const { stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tascii', '-P-cbou', `${folder}aloft.1`], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^NAME\n +aloft - LLM inference engine/m);
    expect(stdout).toMatch(/^ +--idle[-_]unload[-_]seconds <\w+>\n/m);
    expect(stdout).toMatch(/aloft run \.\/engine "What is deep learning \?" --chat/);
  },
);
