/** One message with what can be done with it: copy, edit, answer again, and look at its alternatives. */
import { useState } from 'preact/hooks';
import { answerTo, ask, running } from './ask.js';
import { type ChatNode, siblingsOf, withBranch } from './chat.js';
import { chat } from './chats.js';
import { copyText, Markdown, Plain } from './markdown.js';
import { Tokens } from './tokens.js';

export function TurnView({ node, isLast }: { readonly node: ChatNode; readonly isLast: boolean }) {
  const [edited, edit] = useState<string | undefined>(undefined);
  const isComing = isLast && node.role === 'assistant' && running.value !== undefined;
  return (
    <article class={node.role}>
      <h2>{node.role === 'user' ? 'You' : 'Model'}</h2>
      {edited === undefined ? (
        <Content node={node} />
      ) : (
        <Editor
          text={edited}
          onText={edit}
          onCancel={() => edit(undefined)}
          onSend={() => {
            edit(undefined);
            void ask(edited, node.parent);
          }}
        />
      )}
      {isComing && <span class="caret" aria-hidden="true" />}
      {node.note !== undefined && <p class={node.hasFailed ? 'note fault' : 'note'}>{node.note}</p>}
      {!isComing && edited === undefined && <Actions node={node} onEdit={() => edit(node.content)} />}
    </article>
  );
}

function Content({ node }: { readonly node: ChatNode }) {
  if (node.tokens.length > 0) return <Tokens tokens={node.tokens} />;
  const isPlain = node.role === 'user' || chat.value.kind === 'complete';
  return isPlain ? <Plain text={node.content} /> : <Markdown text={node.content} />;
}

interface EditorProps {
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly onSend: () => void;
  readonly onCancel: () => void;
}

function Editor({ text, onText, onSend, onCancel }: EditorProps) {
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
    >
      <textarea
        aria-label="Edited message"
        dir="auto"
        rows={3}
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      <button type="submit">Send as a branch</button>
      <button type="button" class="quiet" onClick={onCancel}>
        Cancel
      </button>
    </form>
  );
}

function Actions({ node, onEdit }: { readonly node: ChatNode; readonly onEdit: () => void }) {
  const [isCopied, setCopied] = useState(false);
  const isBusy = running.value !== undefined;
  const question = chat.value.nodes.find(({ id }) => id === node.parent);
  return (
    <p class="actions">
      <Branches node={node} />
      <button type="button" onClick={() => void copyText(node.content).then(() => setCopied(true))}>
        {isCopied ? 'Copied' : 'Copy'}
      </button>
      {node.role === 'user' && (
        <button type="button" disabled={isBusy} onClick={onEdit}>
          Edit
        </button>
      )}
      {question !== undefined && node.role === 'assistant' && (
        <button type="button" disabled={isBusy} onClick={() => void answerTo(question)}>
          Answer again
        </button>
      )}
    </p>
  );
}

/** The way between a message and its alternatives. */
function Branches({ node }: { readonly node: ChatNode }) {
  const all = siblingsOf(chat.value, node);
  if (all.length < 2) return null;
  const at = all.findIndex(({ id }) => id === node.id);
  const show = (other: ChatNode | undefined) => {
    if (other !== undefined) chat.value = withBranch(chat.value, other.id);
  };
  const isBusy = running.value !== undefined;
  return (
    <span class="branches">
      <button
        type="button"
        aria-label="Alternative before"
        disabled={isBusy || at === 0}
        onClick={() => show(all[at - 1])}
      >
        ‹
      </button>
      {at + 1} of {all.length}
      <button
        type="button"
        aria-label="Alternative after"
        disabled={isBusy || at === all.length - 1}
        onClick={() => show(all[at + 1])}
      >
        ›
      </button>
    </span>
  );
}
