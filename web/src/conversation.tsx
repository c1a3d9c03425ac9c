/** Prompt and answers: a conversation, or texts that are continued. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ask, running, stop } from './ask.js';
import { shownPath } from './chat.js';
import { begin, ChatBar } from './chat-bar.js';
import { chat } from './chats.js';
import { selectedModel } from './state.js';
import { TurnView } from './turn.js';

const draft = signal('');
/** Larger files are no prompts. */
const MAX_FILE_BYTES = 1 << 20;

export function Conversation() {
  const log = useRef<HTMLDivElement>(null);
  const current = chat.value;
  const shown = shownPath(current);
  const end = shown.at(-1);
  useEffect(
    () => log.current?.scrollTo({ top: log.current.scrollHeight }),
    [end?.id, end?.content, end?.note],
  );
  return (
    <>
      <ChatBar />
      <fieldset class="modes">
        <legend class="hidden">Kind</legend>
        {(['chat', 'complete'] as const).map((kind) => (
          <label key={kind}>
            <input
              type="radio"
              name="mode"
              checked={current.kind === kind}
              disabled={running.value !== undefined}
              onChange={() => begin(kind)}
            />
            {kind === 'chat' ? 'Chat' : 'Continue a text'}
          </label>
        ))}
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
        {shown.map((node, i) => (
          <TurnView key={node.id} node={node} isLast={i === shown.length - 1} />
        ))}
      </div>
      <AskForm />
    </>
  );
}

function AskForm() {
  const send = (): void => {
    if (running.value !== undefined || draft.value.trim() === '') return;
    const content = draft.value;
    draft.value = '';
    void ask(content, chat.value.leaf);
  };
  return (
    <form
      class="ask"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void addFiles(event.dataTransfer?.files ?? []);
      }}
    >
      <label class="hidden" for="prompt">
        Prompt
      </label>
      <textarea
        id="prompt"
        rows={3}
        placeholder={chat.value.kind === 'chat' ? 'What is deep learning ?' : 'Once upon a time'}
        value={draft.value}
        onInput={(event) => (draft.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      {running.value === undefined ? (
        <button type="submit" disabled={selectedModel.value === ''}>
          Send
        </button>
      ) : (
        <button type="button" class="stop" onClick={stop}>
          Stop
        </button>
      )}
    </form>
  );
}

/** Puts the text of dropped files into the prompt. */
async function addFiles(files: Iterable<File>): Promise<void> {
  for (const file of files) {
    if (file.size > MAX_FILE_BYTES) continue;
    const text = await file.text();
    if (text.includes('\u0000')) continue; // no text
    draft.value = `${draft.value}${draft.value === '' ? '' : '\n\n'}${file.name}:\n\n${text}`;
  }
}
