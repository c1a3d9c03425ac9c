/** Results of Python's own Jinja, which oracle/scripts/jinja_*.py recorded. All have to be equal, byte for byte. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { PythonError } from './python-error.js';
import { Template } from './template.js';

const ORACLE = fileURLToPath(new URL('../../../oracle/', import.meta.url));
const readText = (name: string): string => readFileSync(ORACLE + name, 'utf8');
const readJson = (name: string): unknown => JSON.parse(readText(name));

/** The oracle's clock. */
const now = (): Date => new Date(2026, 2, 9, 14, 5, 7);

type Variables = Readonly<Record<string, unknown>>;

interface Result {
  readonly text?: string;
  readonly error?: string;
  readonly message?: string;
}

/** Errors whose messages are Jinja's own. Those of Python and of its parser may have other words. */
const WITH_MESSAGE = new Set([
  'FilterArgumentError',
  'SecurityError',
  'TemplateAssertionError',
  'TemplateError',
  'TemplateRuntimeError',
  'UndefinedError',
]);

function render(source: string | Template, variables: Variables): Result {
  try {
    const template = typeof source === 'string' ? new Template(source) : source;
    return { text: template.render(variables, { now }).text };
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    return { error: error.type, message: error.message };
  }
}

/** The parts of a result that have to be equal. */
const essence = ({ text, error, message }: Result): Result =>
  error === undefined
    ? { text: text ?? '' }
    : { error, message: WITH_MESSAGE.has(error) ? (message ?? '') : '' };

describe('templates of one line', () => {
  const { variables, items } = readJson('jinja/probes.json') as {
    variables: Variables;
    items: (Result & { template: string })[];
  };

  it('are more than 500', () => expect(items.length).toBeGreaterThan(500));

  it.each(items)('$template', ({ template, ...expected }) => {
    expect(essence(render(template, variables))).toEqual(essence(expected));
  });
});

describe('templates of the families', () => {
  const { tokens, results } = readJson('jinja/templates.json') as {
    tokens: Variables;
    results: Record<string, Record<string, Result>>;
  };
  const conversations = readJson('scripts/jinja/conversations.json') as Record<string, Variables>;

  it('are more than 60, with twelve conversations each', () => {
    expect(Object.keys(results).length).toBeGreaterThanOrEqual(60);
    for (const result of Object.values(results))
      expect(Object.keys(result)).toEqual(Object.keys(conversations));
    expect(Object.keys(conversations)).toHaveLength(12);
  });

  it.each(Object.entries(results))('%s', (name, expected) => {
    const template = new Template(readText(`scripts/jinja/templates/${name}.jinja`));
    for (const [conversation, result] of Object.entries(expected)) {
      const variables = { tools: null, documents: null, ...tokens, ...conversations[conversation] };
      expect({ conversation, ...render(template, variables) }).toEqual({ conversation, ...result });
    }
  });
});

it('10,000 programs from a grammar of the constructs', () => {
  const { variables } = readJson('jinja/programs.json') as { variables: Variables };
  const results = gunzipSync(readFileSync(`${ORACLE}jinja/program-results.json.gz`));
  const items = JSON.parse(results.toString('utf8')) as [string, string | null, string?, string?][];
  expect(items).toHaveLength(10_000);
  const differences = items.flatMap(([source, text, error, message]) => {
    const expected = essence(text === null ? { error: error!, message: message! } : { text });
    const result = essence(render(source, variables));
    return JSON.stringify(result) === JSON.stringify(expected) ? [] : [{ source, result, expected }];
  });
  expect(differences).toEqual([]);
});
