/** Sampling controls. */
import { sampling } from './state.js';
import type { Sampling } from './api.js';

type NumberKey = 'temperature' | 'topP' | 'topK' | 'maxTokens' | 'repetitionPenalty';

const NUMBERS: readonly {
  key: NumberKey;
  label: string;
  min: number;
  max: number;
  step: number;
  hint: string;
}[] = [
  {
    key: 'temperature',
    label: 'Temperature',
    min: 0,
    max: 2,
    step: 0.05,
    hint: '0 always takes the most likely token',
  },
  {
    key: 'topP',
    label: 'Top p',
    min: 0.05,
    max: 1,
    step: 0.05,
    hint: 'keep the most likely tokens up to this share; 1 keeps all',
  },
  { key: 'topK', label: 'Top k', min: 0, max: 200, step: 1, hint: 'keep so many tokens; 0 keeps all' },
  { key: 'repetitionPenalty', label: 'Repetition penalty', min: 1, max: 2, step: 0.05, hint: '1 is off' },
  {
    key: 'maxTokens',
    label: 'Most tokens',
    min: 1,
    max: 2000,
    step: 1,
    hint: 'the answer ends here at the latest',
  },
];

export function Settings() {
  const current = sampling.value;
  const set = (change: Partial<Sampling>) => (sampling.value = { ...current, ...change });
  return (
    <details class="settings">
      <summary>Sampling</summary>
      <div class="grid">
        {NUMBERS.map(({ key, label, hint, ...range }) => (
          <label key={key} title={hint}>
            <span>
              {label} <output>{current[key]}</output>
            </span>
            <input
              type="range"
              {...range}
              value={current[key]}
              onInput={(event) => set({ [key]: event.currentTarget.valueAsNumber })}
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
          <span>Stop at (one to a line)</span>
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
