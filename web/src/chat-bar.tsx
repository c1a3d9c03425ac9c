/** Which conversation is shown, a new one, and the ways out of this browser and into it. */
import { signal } from '@preact/signals';
import { running } from './ask.js';
import { asMarkdown, type Chat, newChat, parseChats, titleOf } from './chat.js';
import { addChats, chat, chats, removeChat, storageFault } from './chats.js';

const fault = signal<string | undefined>(undefined);

export function ChatBar() {
  const current = chat.value;
  const isBusy = running.value !== undefined;
  const listed = chats.value.some(({ id }) => id === current.id) ? chats.value : [current, ...chats.value];
  return (
    <div class="chat-bar">
      <select
        aria-label="Conversations"
        value={current.id}
        disabled={isBusy}
        onChange={(event) => {
          const { value } = event.currentTarget;
          chat.value = chats.value.find(({ id }) => id === value) ?? current;
        }}
      >
        {listed.map((one) => (
          <option key={one.id} value={one.id}>
            {titleOf(one)}
          </option>
        ))}
      </select>
      <button type="button" class="quiet" disabled={isBusy} onClick={() => begin(current.kind)}>
        New
      </button>
      <details class="more">
        <summary>More</summary>
        <div>
          <Export text="Export as Markdown" file="md" content={() => asMarkdown(current)} />
          <Export text="Export all as JSON" file="json" content={() => exportOf(chats.value)} />
          <label class="button">
            Import
            <input
              type="file"
              accept=".json"
              onChange={(event) => void importFile(event.currentTarget.files?.[0])}
            />
          </label>
          <button type="button" disabled={isBusy} onClick={() => void removeChat(current)}>
            Delete this one
          </button>
        </div>
      </details>
      {(fault.value ?? storageFault.value) !== undefined && (
        <p class="note" role="alert">
          {fault.value ?? storageFault.value}
        </p>
      )}
    </div>
  );
}

/** An empty conversation; its system prompt stays. */
export function begin(kind: Chat['kind']): void {
  chat.value = newChat(kind, chat.value.system);
}

const exportOf = (all: readonly Chat[]): string => `${JSON.stringify({ chats: all }, undefined, 2)}\n`;

interface ExportProps {
  readonly text: string;
  readonly file: 'md' | 'json';
  readonly content: () => string;
}

function Export({ text, file, content }: ExportProps) {
  const save = (): void => {
    const url = URL.createObjectURL(new Blob([content()], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `aloft.${file}`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <button type="button" onClick={save}>
      {text}
    </button>
  );
}

async function importFile(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  try {
    await addChats(parseChats(await file.text()));
    fault.value = undefined;
  } catch (error) {
    fault.value = error instanceof Error ? error.message : String(error);
  }
}
