/** Links of the documentation: every question of a newcomer has its answer within two steps from the README. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Link {
  readonly target: string;
  readonly anchor: string | undefined;
}

/** Links of a page to files of the repository. */
function linksOf(page: string): Link[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/```[^]*?```/g, '');
  return Array.from(
    text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g),
    ([, path = '', anchor]) => ({
      target: path === '' ? page : relative(root, join(root, dirname(page), path)),
      anchor,
    }),
  );
}

/** Anchors of a page, as GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  const headings = readFileSync(join(root, page), 'utf8').matchAll(/^#+ (.*)$/gm);
  const explicit = readFileSync(join(root, page), 'utf8').matchAll(/<a id="([^"]+)">/g);
  const seen = new Map<string, number>();
  return [
    ...Array.from(headings, ([, text = '']) => {
      const slug = text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-');
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
    ...Array.from(explicit, ([, id = '']) => id),
  ];
}

const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...['docs/guide', 'docs/decisions', 'docs/reference'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  ),
  ...['docs/dependencies.md', 'docs/performance.md'],
];

test.each(pages)('%s links to files and headings that exist', (page) => {
  for (const { target, anchor } of linksOf(page)) {
    expect(existsSync(join(root, target)), `${page} -> ${target}`).toBe(true);
    if (anchor !== undefined && target.endsWith('.md'))
      expect(anchorsOf(target), `${page} -> ${target}#${anchor}`).toContain(anchor);
  }
});

test('README leads to the questions, and each answer is there or one link further', () => {
  expect(linksOf('README.md').map(({ target }) => target)).toContain('docs/guide/questions.md');
  const rows = readFileSync(join(root, 'docs/guide/questions.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && line.includes('? |'));
  expect(rows.length).toBeGreaterThanOrEqual(20);
  for (const row of rows) expect(row.split('|')[2]!.trim().length, row).toBeGreaterThan(15);
});

test('the site has every guide in its sidebar', () => {
  const config = readFileSync(join(root, 'docs/site/.vitepress/config.mjs'), 'utf8');
  const shown = Array.from(config.matchAll(/guide\('[^']+', '([^']+)'\)/g), ([, name]) => `${name}.md`);
  const hidden = ['complaints.md', 'field-cases.md']; // found by the search, and linked from other guides
  expect([...new Set([...shown, ...hidden])].toSorted()).toEqual(
    readdirSync(join(root, 'docs/guide')).toSorted(),
  );
});
