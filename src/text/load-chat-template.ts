/** Finds the chat templates of a model among its files. */
import { readdir } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { fileFault } from '../core/file-fault.js';
import { NAMED_TEMPLATES } from '../core/tokenizer-files.js';
import { ChatTemplate, DEFAULT_TEMPLATE } from './chat-template.js';
import { chatglmTemplate } from './tokenizer/chatglm.js';
import { isAbsent, readJsonIfPresent, readTextIfPresent } from './tokenizer/files.js';
import { isRecord } from './tokenizer/hf-json.js';
import type { SpecialTokens } from './tokenizer/special-tokens.js';
import { readTokenFiles } from './tokenizer/token-files.js';

/**
 * Reads `chat_template.jinja`, else `chat_template.json`, else the `chat_template` of `tokenizer_config.json`, and the named
 * templates of `additional_chat_templates`; without any of them the format of the tokenizer's class. Undefined when it has none.
 * @throws {AloftError} TOKENIZER_INVALID, FILE_UNREADABLE
 */
export async function loadChatTemplate(
  directory: string,
  specialTokens: SpecialTokens,
): Promise<ChatTemplate | undefined> {
  const jinja = await readTextIfPresent(join(directory, 'chat_template.jinja'));
  const entry =
    jinja ??
    (await readJsonIfPresent(directory, 'chat_template.json'))['chat_template'] ??
    (await readJsonIfPresent(directory, 'tokenizer_config.json'))['chat_template'];
  const named = await readNamed(join(directory, NAMED_TEMPLATES));
  const sources = new Map([...templateSources(entry), ...named]);
  if (sources.size === 0) {
    const ofClass = chatglmTemplate(await readTokenFiles(directory));
    if (ofClass !== undefined) sources.set(DEFAULT_TEMPLATE, ofClass);
  }
  return sources.size > 0 ? new ChatTemplate(sources, specialTokens, directory) : undefined;
}

async function readNamed(folder: string): Promise<[string, string][]> {
  const files = (await namesIn(folder)).map(parse).filter(({ ext }) => ext === '.jinja');
  return Promise.all(
    files.map(async ({ base, name }): Promise<[string, string]> => [
      name,
      (await readTextIfPresent(join(folder, base))) ?? '',
    ]),
  );
}

/** Names of the files of a folder; none when there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (thrown) {
    if (isAbsent(thrown)) return [];
    throw fileFault(folder, thrown);
  }
}

/** A template alone, `{ name: template }`, or a list of `{ name, template }`. */
function templateSources(entry: unknown): Map<string, string> {
  if (typeof entry === 'string') return new Map([[DEFAULT_TEMPLATE, entry]]);
  const pairs = Array.isArray(entry)
    ? entry.filter(isRecord).map((item) => [item['name'], item['template']])
    : Object.entries(isRecord(entry) ? entry : {});
  return new Map(
    pairs.filter((pair): pair is [string, string] => pair.every((part) => typeof part === 'string')),
  );
}
