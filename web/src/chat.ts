/** A conversation as a tree: an edited question or another answer is a branch beside the first. Pure. */
import type { ScoredToken } from '../../src/client/whole-tokens.js';
import { newId } from './id.js';

export interface ChatNode {
  readonly id: string;
  /** Null at the start. */
  readonly parent: string | null;
  readonly role: 'user' | 'assistant';
  readonly content: string;
  readonly tokens: readonly ScoredToken[];
  /** How an answer ended; undefined while it comes. */
  readonly note: string | undefined;
  /** True if the note is an error. */
  readonly hasFailed?: boolean;
}

export interface Chat {
  readonly id: string;
  /** A conversation, or texts that are continued, each by itself. */
  readonly kind: 'chat' | 'complete';
  readonly system: string;
  /** Order of creation. */
  readonly nodes: readonly ChatNode[];
  /** The last node that is shown; null shows none. */
  readonly leaf: string | null;
  readonly changedMs: number;
}

export function newChat(kind: Chat['kind'] = 'chat', system = ''): Chat {
  return { id: newId(), kind, system, nodes: [], leaf: null, changedMs: Date.now() };
}

/** Nodes from the start to the leaf. */
export function shownPath({ nodes, leaf }: Chat): ChatNode[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const path: ChatNode[] = [];
  for (let node = byId.get(leaf ?? ''); node !== undefined; node = byId.get(node.parent ?? ''))
    path.push(node);
  return path.toReversed();
}

/** Adds a node and shows it. */
export function withNode(chat: Chat, node: ChatNode): Chat {
  return { ...chat, nodes: [...chat.nodes, node], leaf: node.id, changedMs: Date.now() };
}

export function withChange(chat: Chat, id: string, change: Partial<ChatNode>): Chat {
  const nodes = chat.nodes.map((node) => (node.id === id ? { ...node, ...change } : node));
  return { ...chat, nodes, changedMs: Date.now() };
}

/** A node and its alternatives, oldest first. */
export function siblingsOf({ nodes }: Chat, { parent }: ChatNode): ChatNode[] {
  return nodes.filter((node) => node.parent === parent);
}

/** Shows a node, and below it always the newest. */
export function withBranch(chat: Chat, id: string): Chat {
  let leaf = id;
  for (;;) {
    const below = chat.nodes.findLast(({ parent }) => parent === leaf);
    if (below === undefined) return { ...chat, leaf };
    leaf = below.id;
  }
}

const MAX_TITLE = 40;

export function titleOf({ nodes }: Chat): string {
  const first = nodes[0]?.content.trim().replaceAll(/\s+/g, ' ') ?? '';
  if (first === '') return 'New conversation';
  return first.length > MAX_TITLE ? `${first.slice(0, MAX_TITLE - 1)}…` : first;
}

/** Answers that were being written when the page went away will get no more. */
export function settled(chat: Chat): Chat {
  const isOpen = (node: ChatNode): boolean => node.role === 'assistant' && node.note === undefined;
  if (!chat.nodes.some(isOpen)) return chat;
  const nodes = chat.nodes.map((node) => (isOpen(node) ? { ...node, note: 'cut off by a reload' } : node));
  return { ...chat, nodes };
}

export function asMarkdown(chat: Chat): string {
  const system = chat.system === '' ? [] : [`## System\n\n${chat.system}`];
  const turns = shownPath(chat).map(
    ({ role, content }) => `## ${role === 'user' ? 'You' : 'Model'}\n\n${content.trim()}`,
  );
  return `${[`# ${titleOf(chat)}`, ...system, ...turns].join('\n\n')}\n`;
}

/** @throws {Error} with a sentence when the text is no export of this page */
export function parseChats(text: string): Chat[] {
  const fault = new Error('This file is no export of conversations from this page.');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fault;
  }
  const chats: unknown = Object(value)['chats'];
  if (!Array.isArray(chats) || !chats.every(isChat)) throw fault;
  // New names, so that an import never replaces what is here.
  return chats.map((chat) => settled({ ...chat, id: newId() }));
}

function isChat(value: unknown): value is Chat {
  const { kind, system, nodes, leaf, changedMs } = Object(value) as Record<string, unknown>;
  return (
    (kind === 'chat' || kind === 'complete') &&
    typeof system === 'string' &&
    (leaf === null || typeof leaf === 'string') &&
    typeof changedMs === 'number' &&
    Array.isArray(nodes) &&
    nodes.every(isNode)
  );
}

function isNode(value: unknown): value is ChatNode {
  const { id, parent, role, content, tokens, note } = Object(value) as Record<string, unknown>;
  return (
    typeof id === 'string' &&
    (parent === null || typeof parent === 'string') &&
    (role === 'user' || role === 'assistant') &&
    typeof content === 'string' &&
    Array.isArray(tokens) &&
    (note === undefined || typeof note === 'string')
  );
}
