/** An answer token by token: the less likely a token was, the stronger its colour. Each shows what else was likely. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ScoredToken } from '../../src/client/whole-tokens.js';

export function Tokens({ tokens }: { readonly tokens: readonly ScoredToken[] }) {
  const [chosen, choose] = useState<number | undefined>(undefined);
  const shown = chosen === undefined ? undefined : tokens[chosen];
  const details = useRef<HTMLTableElement>(null);
  // It stands below the answer, which may be longer than the part of it that is in view.
  useEffect(() => details.current?.scrollIntoView({ block: 'nearest' }), [chosen]);
  return (
    <>
      <p class="text tokens" dir="auto">
        {tokens.map((token, i) => (
          // Not a <button>: browsers make boxes of those, and a token with a line break would tear the text apart.
          <span
            role="button"
            tabIndex={0}
            key={i}
            class="token"
            aria-pressed={chosen === i}
            aria-label={`${token.text}, ${percent(token.probability)}`}
            style={{ '--doubt': String(1 - token.probability) }}
            onClick={() => choose(chosen === i ? undefined : i)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' && event.key !== ' ') return;
              event.preventDefault();
              choose(chosen === i ? undefined : i);
            }}
          >
            {token.text}
          </span>
        ))}
      </p>
      {shown !== undefined && (
        <table class="alternatives" ref={details}>
          <caption>
            “{visible(shown.text)}” had {percent(shown.probability)}
          </caption>
          <tbody>
            {shown.others.map((other) => (
              <tr key={other.text}>
                <th scope="row">
                  <code>{visible(other.text)}</code>
                </th>
                <td>
                  <meter min={0} max={1} value={other.probability} aria-label={percent(other.probability)} />
                </td>
                <td>{percent(other.probability)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function percent(probability: number): string {
  return `${(probability * 100).toFixed(1)} %`;
}

function visible(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll(' ', '␣');
}
