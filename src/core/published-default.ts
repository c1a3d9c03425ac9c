/** Values that a model's publisher recommends in generation_config.json. */
import { isWithin } from './number-range.js';
import { type PublishedName, samplingField } from './sampling-fields.js';

/** The value as requests have it; undefined for one that no request may have. */
export function publishedDefault(name: PublishedName, value: unknown): number | undefined {
  const { range, neutral, openAi } = samplingField(name);
  // Publishers switch a parameter off as clients do.
  if (value === null || value === undefined || value === openAi.neutral) return neutral;
  return isWithin(value, range) ? value : undefined;
}
