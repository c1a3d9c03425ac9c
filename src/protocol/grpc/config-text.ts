/** config.pbtxt: the protobuf text format of ModelConfig, with the line of every fault. */
import { create, type DescMessage } from '@bufbuild/protobuf';
import { fromText, toText } from '@bufbuild/protobuf/txtpb';
import { suggestion } from '../../core/errors.js';
import { ModelConfigSchema, type ModelConfig } from '../gen/model_config_pb.js';

/** A fault in a configuration file. Lines count from 1. */
interface TextFault {
  readonly line: number;
  readonly message: string;
}

export type ConfigParse =
  | { readonly type: 'config'; readonly config: ModelConfig }
  | { readonly type: 'fault'; readonly fault: TextFault };

/** Deeper nesting than any real file has; a hostile one fails instead of exhausting the stack. */
const MAX_NESTING = 50;

export function parseConfigText(text: string): ConfigParse {
  const message = faultOf(text);
  if (message === undefined) {
    return { type: 'config', config: fromText(ModelConfigSchema, text, { recursionLimit: MAX_NESTING }) };
  }
  return { type: 'fault', fault: { line: faultLine(text, message), message: withSuggestion(message) } };
}

/** The library's message, with the field that was probably meant. */
function withSuggestion(message: string): string {
  const [, word, typeName] = /^unknown field "(\w+)" for message ([\w.]+)/.exec(message) ?? [];
  if (word === undefined) return message;
  const type = messagesIn(ModelConfigSchema.file.messages).find((one) => one.typeName === typeName);
  const near = suggestion(word, type?.fields.map(({ name }) => name) ?? []);
  return near === undefined ? message : `${message.replace(/\.$/, '')}; did you mean ${near}?`;
}

function messagesIn(messages: readonly DescMessage[]): DescMessage[] {
  return messages.flatMap((message) => [message, ...messagesIn(message.nestedMessages)]);
}

export function writeConfigText(config: ModelConfig): string {
  return toText(ModelConfigSchema, create(ModelConfigSchema, config));
}

/** Left-over `${key}` of a template, in order, outside comments. */
export function findPlaceholders(text: string): Placeholder[] {
  const lines = text.split('\n').map((line) => (/^\s*#/.test(line) ? '' : line));
  let before = '';
  return lines.flatMap((line, i) => {
    const found = [...line.matchAll(/\$\{([^}]*)\}/g)].map((match) => {
      const start = line.slice(0, match.index);
      return {
        line: i + 1,
        key: match[1] ?? '',
        isQuoted: /^(?:[^"']|"[^"]*"|'[^']*')*["'][^"']*$/.test(start),
        parameter: PARAMETER_VALUE.exec(before + start)?.[1],
      };
    });
    before = `${before}${line}\n`.slice(-MAX_ENTRY_LENGTH);
    return found;
  });
}

/** An entry of `parameters` up to somewhere in its value. */
const PARAMETER_VALUE =
  /key\s*:\s*["']([^"']*)["']\s*[,;]?\s*value\s*:?\s*\{\s*string_value\s*:\s*["'][^"']*$/;
/** More than a parameter takes from its key to its value. */
const MAX_ENTRY_LENGTH = 1000;

export interface Placeholder {
  readonly line: number;
  readonly key: string;
  /** In a string, where any text can be read. */
  readonly isQuoted: boolean;
  /** Key of the parameter whose value it is in; undefined elsewhere. */
  readonly parameter: string | undefined;
}

function faultOf(text: string): string | undefined {
  try {
    fromText(ModelConfigSchema, text, { recursionLimit: MAX_NESTING });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * The parser does not report where it stopped. It reads left to right, so the fault is on the last line of the shortest
 * beginning of the file that already fails in the same way.
 */
function faultLine(text: string, message: string): number {
  const lines = text.split('\n');
  let low = 1;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (faultOf(lines.slice(0, middle).join('\n')) === message) high = middle;
    else low = middle + 1;
  }
  return low;
}
