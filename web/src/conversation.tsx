/** Prompt and answer: a conversation, or a text that is continued. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type ScoredToken, wholeTokens } from '../../src/client/whole-tokens.js';
import { answer } from './api.js';
import { apiKey, mode, sampling, selectedModel, turns, type Turn } from './state.js';
import { Tokens } from './tokens.js';

const draft = signal('');
const running = signal<AbortController | undefined>(undefined);

export function Conversation() {
  const log = useRef<HTMLDivElement>(null);
  const shown = turns.value;
  useEffect(() => log.current?.scrollTo({ top: log.current.scrollHeight }), [shown]);
  return (
    <>
      <fieldset class="modes">
        <legend class="hidden">Kind</legend>
        {(['chat', 'complete'] as const).map((kind) => (
          <label key={kind}>
            <input type="radio" name="mode" checked={mode.value === kind} onChange={() => switchMode(kind)} />
            {kind === 'chat' ? 'Chat' : 'Continue a text'}
          </label>
        ))}
        <button
          type="button"
          class="quiet"
          onClick={() => (turns.value = [])}
          disabled={shown.length === 0 || running.value !== undefined}
        >
          Clear
        </button>
      </fieldset>
      <div
        class="log"
        ref={log}
        role="log"
        aria-live="polite"
        aria-busy={running.value !== undefined}
        tabIndex={0}
        aria-label="Messages"
      >
        {shown.length === 0 && (
          <p class="hint">
            Ask something, and watch the batcher work. Several questions at once show it best.
          </p>
        )}
        {shown.map((turn, i) => (
          <TurnView key={i} turn={turn} isLast={i === shown.length - 1} />
        ))}
      </div>
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label class="hidden" for="prompt">
          Prompt
        </label>
        <textarea
          id="prompt"
          rows={3}
          placeholder={mode.value === 'chat' ? 'What is deep learning ?' : 'Once upon a time'}
          value={draft.value}
          onInput={(event) => (draft.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            void send();
          }}
        />
        {running.value === undefined ? (
          <button type="submit" disabled={selectedModel.value === ''}>
            Send
          </button>
        ) : (
          <button type="button" class="stop" onClick={() => running.value?.abort()}>
            Stop
          </button>
        )}
      </form>
    </>
  );
}

function TurnView({ turn, isLast }: { readonly turn: Turn; readonly isLast: boolean }) {
  const isWaiting = isLast && turn.role === 'assistant' && running.value !== undefined;
  return (
    <article class={turn.role}>
      <h2>{turn.role === 'user' ? 'You' : 'Model'}</h2>
      {turn.tokens.length > 0 ? <Tokens tokens={turn.tokens} /> : <p class="text">{turn.content}</p>}
      {isWaiting && <span class="caret" aria-hidden="true" />}
      {turn.note !== undefined && <p class="note">{turn.note}</p>}
    </article>
  );
}

function switchMode(kind: 'chat' | 'complete'): void {
  mode.value = kind;
  turns.value = [];
}

interface AnswerTimes {
  readonly startMs: number;
  firstMs: number | undefined;
  lastMs: number;
}

function endNote(reason: string, tokenCount: number, { startMs, firstMs, lastMs }: AnswerTimes): string {
  const first = firstMs === undefined ? '' : `; first token after ${(firstMs - startMs).toFixed(0)} ms`;
  const seconds = (lastMs - (firstMs ?? lastMs)) / 1000;
  const rate =
    tokenCount > 1 && seconds > 0 ? `, then ${((tokenCount - 1) / seconds).toFixed(0)} tokens/s` : '';
  return `ended: ${reason}${first}${rate}`;
}

async function send(): Promise<void> {
  const prompt = draft.value;
  if (prompt.trim() === '' || running.value !== undefined) return;
  const controller = new AbortController();
  running.value = controller;
  draft.value = '';
  const before: readonly Turn[] = mode.value === 'chat' ? turns.value : [];
  const question: Turn = { role: 'user', content: prompt, tokens: [], note: undefined };
  let reply: Turn = { role: 'assistant', content: '', tokens: [], note: undefined };
  const show = (change: Partial<Turn>) => {
    reply = { ...reply, ...change };
    turns.value = [...before, question, reply];
  };
  show({});
  const messages = [...before, question].map(({ role, content }) => ({ role, content }));
  const input = mode.value === 'chat' ? { messages } : { prompt };
  const times: AnswerTimes = { startMs: performance.now(), firstMs: undefined, lastMs: 0 };
  let finishReason = 'the server';
  let tokenCount = 0;
  let held: ScoredToken[] = [];
  try {
    const target = { model: selectedModel.value, apiKey: apiKey.value, signal: controller.signal };
    for await (const delta of answer(target, input, sampling.value)) {
      if (delta.text !== '') {
        times.lastMs = performance.now();
        times.firstMs ??= times.lastMs;
      }
      finishReason = delta.finishReason ?? finishReason;
      tokenCount = delta.outputTokens ?? tokenCount;
      held.push(...delta.tokens);
      const shownTokens = wholeTokens(delta.text, held);
      if (shownTokens.length > 0) held = [];
      show({ content: reply.content + delta.text, tokens: [...reply.tokens, ...shownTokens] });
    }
    show({ note: endNote(finishReason, tokenCount, times) });
  } catch (error) {
    show({
      note: controller.signal.aborted ? 'stopped' : error instanceof Error ? error.message : String(error),
    });
  } finally {
    running.value = undefined;
  }
}
