/** Members of a request that go to the chat template, as Python would have read them: 1.0 is a float, keys stay in their order. */
import { withoutMark } from '../core/file-json.js';
import { type AnyDict, dictPairs, isDict } from './jinja/values/dict.js';
import { parseJsonValue } from './jinja/values/json-values.js';
import type { Value } from './jinja/values/value.js';

/** Member whose own members are template arguments. */
const NESTED = 'chat_template_kwargs';
const TOOLS = 'tools';

/**
 * Reads the arguments again from the request's text; JavaScript's values of those that are no numbers, lists or objects are the same.
 * @param text JSON of the whole request
 * @param given arguments as JavaScript reads them
 */
export function templateValues(
  text: string,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const names = Object.keys(given).filter((name) => ['object', 'number'].includes(typeof given[name]));
  const body = names.length === 0 ? undefined : parseJsonValue(withoutMark(text));
  if (body === undefined || !isDict(body)) return given;
  const top = membersOf(body);
  const nested = top.get(NESTED);
  const inner = nested !== undefined && isDict(nested) ? membersOf(nested) : new Map<Value, Value>();
  const read = names.flatMap((name) => {
    const value = top.get(name) ?? inner.get(name);
    if (value === undefined) return [];
    return [[name, name === TOOLS ? withShownTools(value, given[name]) : value] as const];
  });
  return { ...given, ...Object.fromEntries(read) };
}

/** Tools as the text has them, but for custom ones: these were given as the functions as which templates are shown them. */
function withShownTools(tools: Value, given: unknown): unknown {
  if (!Array.isArray(tools) || !Array.isArray(given)) return tools;
  const shown: readonly unknown[] = given;
  return (tools as readonly Value[]).map((tool, i) =>
    isDict(tool) && membersOf(tool).get('type') === 'custom' ? shown[i] : tool,
  );
}

const membersOf = (dict: AnyDict): ReadonlyMap<Value, Value> => new Map(dictPairs(dict));
