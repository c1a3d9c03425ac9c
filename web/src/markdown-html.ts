/** Markdown of a model to HTML that can do no harm. Loaded with the first answer, because it is large. */
import DOMPurify from 'dompurify';
import highlighter from 'highlight.js/lib/common';
import { Marked } from 'marked';

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    code({ text, lang = '' }) {
      const language = highlighter.getLanguage(lang) === undefined ? undefined : lang;
      const html =
        language === undefined ? escapeHtml(text) : highlighter.highlight(text, { language }).value;
      return `<pre><code>${html}</code></pre>`;
    },
  },
});

/** Elements that have a direction of their own: an answer may quote Hebrew in English. */
const BLOCKS = new Set('P H1 H2 H3 H4 H5 H6 UL OL LI BLOCKQUOTE TH TD'.split(' '));

DOMPurify.addHook('afterSanitizeAttributes', (element) => {
  if (BLOCKS.has(element.tagName)) element.setAttribute('dir', 'auto');
  if (element.tagName !== 'A') return;
  element.setAttribute('target', '_blank');
  element.setAttribute('rel', 'noopener noreferrer nofollow');
});

/** A model's text loads nothing, asks nothing and styles nothing. */
const FORBIDDEN = ['img', 'picture', 'video', 'audio', 'svg', 'math', 'form', 'input', 'button', 'style'];

export function markdownHtml(text: string): string {
  return DOMPurify.sanitize(marked.parse(text, { async: false }), {
    USE_PROFILES: { html: true },
    FORBID_TAGS: FORBIDDEN,
    FORBID_ATTR: ['style', 'id', 'name'],
  });
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
