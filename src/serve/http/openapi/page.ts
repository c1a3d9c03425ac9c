/** The description as a page without scripts, which loads nothing. */
import type { OpenApiDocument, Operation } from './document.js';

/** Content security policy: nothing is loaded or run, whatever stands in the page. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  summary, div { padding: 0.3rem 0; }
  summary { cursor: pointer; margin-left: -1.1rem; }
  summary b, div b { display: inline-block; min-width: 4.5rem; font: bold 0.85rem ui-monospace, monospace; }
  code, pre, td:first-child { font: 0.9rem ui-monospace, monospace; }
  details, div { border-top: 1px solid #8884; }
  table { border-collapse: collapse; margin: 0.5rem 0 1rem 4.5rem; }
  td { padding: 0.15rem 1rem 0.15rem 0; vertical-align: top; overflow-wrap: anywhere; }
`;

export function documentPage({ info, paths }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationPart(method, path, operation)),
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(info.title)}</title>
<style>${STYLE}</style>
<h1>${escaped(info.title)}</h1>
<p>Routes of this server, and the members of their requests. The same for programs: <a href="openapi.json">openapi.json</a>.</p>
${operations.join('\n')}
</html>
`;
}

function operationPart(method: string, path: string, { summary, requestBody }: Operation): string {
  const head = `<b>${escaped(method.toUpperCase())}</b> <code>${escaped(path)}</code> ${escaped(summary)}`;
  const schema = requestBody?.content['application/json']?.schema;
  const members = schema === undefined ? '' : membersPart(schema);
  if (members === '') return `<div>${head}</div>`;
  return `<details><summary>${head}</summary>${members}</details>`;
}

interface Schema {
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
}

function membersPart({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, schema]) => {
    const need = required.includes(name) ? 'required' : '';
    return `<tr><td>${escaped(name)}<td>${need}<td><code>${escaped(kindOf(schema))}</code>`;
  });
  return rows.length === 0 ? '' : `<table>${rows.join('')}</table>`;
}

interface Kind {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly object[];
  readonly items?: object;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

/** A schema in a few words. */
function kindOf(schema: object): string {
  const { type, enum: values, const: only, anyOf, items, minimum, maximum, pattern }: Kind = schema;
  if (anyOf) return anyOf.map(kindOf).join(' | ');
  if (values) return values.map((value) => JSON.stringify(value)).join(' | ');
  if (only !== undefined) return JSON.stringify(only);
  if (type === 'array') return `[${items === undefined ? '' : kindOf(items)}]`;
  const range = minimum === undefined && maximum === undefined ? '' : ` ${minimum ?? ''}..${maximum ?? ''}`;
  return `${type ?? 'any'}${range}${pattern === undefined ? '' : ` ${pattern}`}`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!);
