/** Escaping for HTML, which Jinja's `escape` filter and safe texts do. */
import type { Rendering } from './callable.js';
import { str } from './printing.js';
import { Markup, type Value } from './value.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>'"]/g, (character) => ENTITIES[character]!);

/** `escape(value)`: safe text stays as it is. */
export function escape(rendering: Rendering, value: Value): Markup {
  if (value instanceof Markup) return value;
  const text = str(rendering, value);
  rendering.read(text.length);
  const escaped = escapeHtml(text);
  rendering.make(escaped.length);
  return new Markup(escaped);
}
