/** The documentation as a site: the Markdown of this repository as it stands, with a search that needs no server. */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const guide = (text, name) => ({ text, link: `/docs/guide/${name}` });
const reference = (text, name) => ({ text, link: `/docs/reference/${name}` });

export default defineConfig({
  title: 'Aloft',
  description: 'LLM inference engine and server in TypeScript',
  srcDir: root,
  srcExclude: [
    ...['node_modules', 'dist', 'build', 'web', 'oracle/*', 'bench', 'engines', 'src', 'scripts'].map(
      (name) => `${name}/**`,
    ),
    'docs/site/**',
  ],
  outDir: join(root, 'build/site'),
  cacheDir: join(root, 'build/site-cache'),
  rewrites: { 'README.md': 'index.md' },
  lastUpdated: false,
  ignoreDeadLinks: 'localhostLinks',
  markdown: {
    config(markdown) {
      linkOnlyPages(markdown);
      showPlaceholders(markdown);
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Begin', link: '/' },
      guide('Questions', 'questions'),
      guide('Node API', 'node-api'),
      reference('Commands', 'commands'),
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          { text: 'Aloft', link: '/' },
          guide('Install', 'install'),
          guide('Models', 'models'),
          guide('Questions', 'questions'),
          guide('From TensorRT-LLM and Triton', 'quick-start'),
        ],
      },
      {
        text: 'Use',
        items: [
          guide('Node API', 'node-api'),
          guide('Serving', 'serving'),
          guide('Agents and tools', 'agents'),
          guide('Constraints', 'constraints'),
          guide('Reproducibility', 'reproducibility'),
        ],
      },
      {
        text: 'Run',
        items: [
          guide('Deployment', 'deployment'),
          guide('Watching and alerts', 'alerts'),
          guide('Hardening', 'hardening'),
          guide('Several machines', 'scale-out'),
          guide('Several GPUs', 'ranks'),
        ],
      },
      {
        text: 'Faster',
        items: [
          guide('Tuning', 'tuning'),
          guide('Benchmarks', 'benchmarks'),
          guide('Profiling', 'profiling'),
          guide('In-flight batching', 'in-flight-batching'),
          guide('Memory', 'memory'),
        ],
      },
      {
        text: 'Reference',
        items: [
          reference('Node API, every member', 'api'),
          reference('Commands', 'commands'),
          reference('Build flags', 'build-flags'),
          reference('Engine options', 'engine-options'),
          reference('Errors', 'errors'),
          reference('Limits', 'limits'),
          reference('Metrics', 'metrics'),
          reference('Ops', 'ops'),
          guide('Engine format', 'engine-format'),
          { text: 'Architecture', link: '/ARCHITECTURE' },
          { text: 'Changelog', link: '/CHANGELOG' },
        ],
      },
    ],
  },
});

/** Words such as `<path>` in headings are no elements: only comments and anchors are HTML in our Markdown. */
function showPlaceholders(markdown) {
  for (const kind of ['html_inline', 'html_block']) {
    markdown.renderer.rules[kind] = (tokens, index) => {
      const { content } = tokens[index];
      return /^\s*<(!--|a id|\/a>)/.test(content) ? content : markdown.utils.escapeHtml(content);
    };
  }
}

/** Links to sources and results lead out of the site, to files that it does not have: they stay as text. */
function linkOnlyPages(markdown) {
  const render = markdown.renderer.rules.link_open;
  markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const [path] = (token.attrGet('href') ?? '').split('#');
    const isFile = path !== '' && !/^[a-z]+:/.test(path) && !path.endsWith('.md');
    const target = join(env.path === undefined ? root : dirname(env.path), path);
    if (isFile && existsSync(target) && !relative(root, target).startsWith('..')) token.attrSet('href', '#');
    return render?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options);
  };
}
