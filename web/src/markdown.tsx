/** An answer with its Markdown, and a button to copy each block of code. */
import { useEffect, useRef, useState } from 'preact/hooks';

/** Rendering again for every token would be work for nobody: eyes are slower. */
const RENDER_EVERY_MS = 80;

let renderer: ((text: string) => string) | undefined;

/** A text as it stands, in the direction that its script is read in. */
export function Plain({ text }: { readonly text: string }) {
  return (
    <p class="text" dir="auto">
      {text}
    </p>
  );
}

export function Markdown({ text }: { readonly text: string }) {
  const [html, setHtml] = useState(() => renderer?.(text));
  const latest = useRef(text);
  const timer = useRef<number | undefined>(undefined);
  const box = useRef<HTMLDivElement>(null);
  latest.current = text;
  useEffect(() => {
    const render = async (): Promise<void> => {
      renderer ??= (await import('./markdown-html.js')).markdownHtml;
      setHtml(renderer(latest.current));
    };
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void render();
    }, RENDER_EVERY_MS);
  }, [text]);
  useEffect(() => {
    // So that the keyboard can scroll them.
    for (const wide of box.current?.querySelectorAll<HTMLElement>('pre, table') ?? []) wide.tabIndex = 0;
    addCopyButtons(box.current);
  }, [html]);
  if (html === undefined) return <Plain text={text} />;
  // oxlint-disable-next-line react/no-danger -- sanitised by DOMPurify
  return <div ref={box} class="text markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}

function addCopyButtons(box: HTMLElement | null): void {
  for (const block of box?.querySelectorAll('pre') ?? []) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    button.textContent = 'Copy code';
    const code = block.querySelector('code')?.textContent ?? '';
    button.addEventListener('click', () => {
      void copyText(code).then(() => (button.textContent = 'Copied'));
    });
    block.append(button);
  }
}

/** The clipboard is there on secure pages alone; selections work everywhere. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text);
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}
