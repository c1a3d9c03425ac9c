/** Prompt and answers: a conversation, or texts that are continued. */
import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { ask, running, stop } from './ask.js';
import { shownPath } from './chat.js';
import { begin, ChatBar } from './chat-bar.js';
import { chat } from './chats.js';
import { useFollowedEnd } from './followed-end.js';
import { selectedModel } from './state.js';
import { TurnView } from './turn.js';

const draft = signal('');
const dropFault = signal<string | undefined>(undefined);
/** Larger files are no prompts. */
const MAX_FILE_BYTES = 1 << 20;

export function Conversation() {
  const log = useRef<HTMLDivElement>(null);
  const current = chat.value;
  const shown = shownPath(current);
  useFollowedEnd(log, shown.at(-1)?.id);
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
      {dropFault.value !== undefined && (
        <p class="note fault" role="alert">
          {dropFault.value}
        </p>
      )}
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
        dir="auto"
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

/** Puts the text of dropped files into the prompt, and says of others why they are left out. */
async function addFiles(files: Iterable<File>): Promise<void> {
  dropFault.value = undefined;
  for (const file of files) {
    const text = file.size > MAX_FILE_BYTES ? undefined : await file.text();
    if (text === undefined || text.includes('\u0000')) {
      const reason = text === undefined ? 'is larger than 1 MiB' : 'is no text';
      dropFault.value = `${file.name} ${reason}: drop files of text of at most 1 MiB.`;
      continue;
    }
    draft.value = `${draft.value}${draft.value === '' ? '' : '\n\n'}${file.name}:\n\n${text}`;
  }
}
