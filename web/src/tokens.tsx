/** An answer token by token: the less likely a token was, the stronger its colour. Each tells what else was likely. */
import { useState } from 'preact/hooks';
import type { ScoredToken } from './api.js';

export function Tokens({ tokens }: { readonly tokens: readonly ScoredToken[] }) {
  const [chosen, choose] = useState<number | undefined>(undefined);
  const shown = chosen === undefined ? undefined : tokens[chosen];
  return (
    <>
      <p class="text tokens">
        {tokens.map((token, i) => (
          <button
            type="button"
            key={i}
            class="token"
            aria-pressed={chosen === i}
            aria-label={`${token.text}, ${percent(token.probability)}`}
            style={{ '--doubt': String(1 - token.probability) }}
            onClick={() => choose(chosen === i ? undefined : i)}
          >
            {token.text}
          </button>
        ))}
      </p>
      {shown !== undefined && (
        <table class="alternatives">
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
