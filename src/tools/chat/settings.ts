/** Settings of a conversation, by the names of OpenAI's interface. `/set` changes them; one that is not set is the model's own. */
import { AloftError, suggestion } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { present } from '../../core/present.js';
import {
  byName,
  type NumberRange,
  SAMPLING_FIELD_NAMES,
  type SamplingNumbers,
  samplingField,
} from '../../core/sampling-fields.js';
import { checkNumber } from '../../text/request/ranges.js';

export interface ChatSettings extends Readonly<Record<string, number | readonly string[] | undefined>> {
  /** Tokens of an answer at most. */
  readonly max_tokens?: number;
  readonly seed?: number;
  /** Texts that end an answer. */
  readonly stop?: readonly string[];
}

const RANGES: ReadonlyMap<string, NumberRange> = new Map([
  ['max_tokens', { isInteger: true, min: 1 }],
  ['seed', { isInteger: true, min: 0, max: Number.MAX_SAFE_INTEGER }],
  ...SAMPLING_FIELD_NAMES.map(samplingField).map(({ openAi, range }) => [openAi.name, range] as const),
]);
export const SETTING_NAMES: readonly string[] = [...RANGES.keys(), 'stop'];

/**
 * The settings with one changed. A stop text is added to those that are there.
 * @param text of the value; empty for the model's own again
 * @throws {AloftError} USAGE for an unknown name, REQUEST_INVALID for a value out of range
 */
export function changeSetting(settings: ChatSettings, name: string, text: string): ChatSettings {
  if (!SETTING_NAMES.includes(name)) {
    const near = suggestion(name, SETTING_NAMES);
    const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
    throw new AloftError('USAGE', `There is no setting '${name}'; /set lists them.${hint}`);
  }
  if (text === '') return present({ ...settings, [name]: undefined });
  const range = RANGES.get(name);
  if (range === undefined) return { ...settings, stop: [...(settings.stop ?? []), text] };
  const value = Number(text);
  checkNumber(name, Number.isNaN(value) ? text : value, range);
  return { ...settings, [name]: value };
}

/** The settings as members of a request to an engine. */
export function requestOptions(settings: ChatSettings): Omit<GenerateRequest, 'prompt'> {
  const { max_tokens: maxOutputTokens, seed, stop } = settings;
  const numbers = byName(
    SAMPLING_FIELD_NAMES,
    (name) => settings[samplingField(name).openAi.name] as number | undefined,
  );
  return {
    ...(present(numbers) as Partial<SamplingNumbers>),
    ...present({ maxOutputTokens, seed: seed === undefined ? undefined : BigInt(seed), stop }),
  };
}
