/** System prompt and sampling. A field that is empty leaves the model's own value. */
import type { Sampling } from './api.js';
import { chat } from './chats.js';
import { models, sampling, selectedModel } from './state.js';

type NumberKey = 'temperature' | 'topP' | 'topK' | 'maxTokens' | 'repetitionPenalty';

interface NumberField {
  readonly key: NumberKey;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly hint: string;
}

const NUMBERS: readonly NumberField[] = [
  { key: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.05, hint: '0 is greedy' },
  { key: 'topP', label: 'Top p', min: 0.05, max: 1, step: 0.05, hint: 'most likely tokens up to this share' },
  { key: 'topK', label: 'Top k', min: 0, max: 200, step: 1, hint: 'this many most likely tokens' },
  { key: 'repetitionPenalty', label: 'Repetition penalty', min: 1, max: 2, step: 0.05, hint: '1 is off' },
];

export function Settings() {
  const current = sampling.value;
  const set = (change: Partial<Sampling>) => (sampling.value = { ...current, ...change });
  const limit = models.value.find(({ name }) => name === selectedModel.value)?.maxOutputTokens;
  const longest: NumberField = {
    key: 'maxTokens',
    label: 'Max tokens',
    min: 1,
    max: limit ?? 1,
    step: 1,
    hint: `of the answer; at most ${limit ?? '?'}`,
  };
  return (
    <details class="settings">
      <summary>System prompt and sampling</summary>
      <label class="system">
        <span>System prompt of this conversation</span>
        <textarea
          rows={2}
          placeholder="none"
          disabled={chat.value.kind === 'complete'}
          value={chat.value.system}
          onInput={(event) => (chat.value = { ...chat.value, system: event.currentTarget.value })}
        />
      </label>
      <div class="grid">
        {[...NUMBERS, longest].map(({ key, label, hint, ...range }) => (
          <label key={key}>
            <span>{label}</span>
            <input
              type="number"
              {...range}
              placeholder="the model's own"
              title={hint}
              value={current[key] ?? ''}
              onInput={(event) => set({ [key]: numberIn(event.currentTarget) })}
            />
          </label>
        ))}
        <label title="the same seed gives the same answer">
          <span>Seed</span>
          <input
            inputMode="numeric"
            placeholder="random"
            value={current.seed}
            onInput={(event) => set({ seed: event.currentTarget.value })}
          />
        </label>
        <label>
          <span>Stop sequences (one to a line)</span>
          <textarea
            rows={2}
            value={current.stop}
            onInput={(event) => set({ stop: event.currentTarget.value })}
          />
        </label>
        <label title="the answer is a JSON value that is valid under it">
          <span>JSON schema of the answer</span>
          <textarea
            rows={2}
            placeholder='{"type": "object", ...}'
            value={current.schema}
            onInput={(event) => set({ schema: event.currentTarget.value })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={current.showProbabilities}
            onChange={(event) => set({ showProbabilities: event.currentTarget.checked })}
          />
          Show token probabilities
        </label>
      </div>
    </details>
  );
}

/** Undefined for an empty field, and for a number that the field refuses. */
function numberIn(field: HTMLInputElement): number | undefined {
  const value = field.valueAsNumber;
  const isRefused = Number.isNaN(value) || value < Number(field.min) || value > Number(field.max);
  return isRefused ? undefined : value;
}
