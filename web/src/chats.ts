/** The conversations of this browser: kept in IndexedDB, and what is not written yet when the page goes, in local storage. */
import { effect, signal } from '@preact/signals';
import { createStore, del, set, values } from 'idb-keyval';
import { type Chat, newChat, settled } from './chat.js';

const store = createStore('aloft', 'chats');
const UNSAVED = 'aloft.unsaved';
const SAVE_AFTER_MS = 500;

export const chat = signal<Chat>(newChat());
/** All that have a message, newest first. */
export const chats = signal<readonly Chat[]>([]);
export const storageFault = signal<string | undefined>(undefined);

/** Shows the last conversation of the earlier visit. */
export async function openChats(): Promise<void> {
  const kept = new Map((await attempt(() => values<Chat>(store)))?.map((one) => [one.id, one]));
  const unsaved = readUnsaved();
  for (const one of unsaved) kept.set(one.id, one);
  chats.value = [...kept.values()].map(settled).toSorted((a, b) => b.changedMs - a.changedMs);
  if (chat.value.nodes.length === 0 && chats.value[0] !== undefined) chat.value = chats.value[0];
  for (const one of unsaved) await save(settled(one));
  localStorage.removeItem(UNSAVED);
  followChanges();
}

function readUnsaved(): readonly Chat[] {
  return JSON.parse(localStorage.getItem(UNSAVED) ?? '[]') as readonly Chat[];
}

function followChanges(): void {
  const changed = new Map<string, Chat>();
  let timer: number | undefined;
  effect(() => {
    const current = chat.value;
    if (current.nodes.length === 0) return;
    const others = chats.peek().filter(({ id }) => id !== current.id);
    chats.value = [current, ...others].toSorted((a, b) => b.changedMs - a.changedMs);
    changed.set(current.id, current);
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const one of changed.values()) void save(one);
      changed.clear();
    }, SAVE_AFTER_MS);
  });
  // IndexedDB may not finish when the page goes away; this does.
  addEventListener('pagehide', () => {
    if (changed.size > 0) localStorage.setItem(UNSAVED, JSON.stringify([...changed.values()]));
  });
}

async function save(one: Chat): Promise<void> {
  await attempt(() => set(one.id, one, store));
}

export async function removeChat({ id }: Chat): Promise<void> {
  await attempt(() => del(id, store));
  chats.value = chats.value.filter((one) => one.id !== id);
  chat.value = chats.value[0] ?? newChat();
}

export async function addChats(more: readonly Chat[]): Promise<void> {
  for (const one of more) await save(one);
  chats.value = [...more, ...chats.value].toSorted((a, b) => b.changedMs - a.changedMs);
  if (more[0] !== undefined) chat.value = more[0];
}

/** Private windows may have no storage: the page works on, and says so. */
async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    storageFault.value = `Conversations are not kept: ${error instanceof Error ? error.message : String(error)}`;
    return undefined;
  }
}
