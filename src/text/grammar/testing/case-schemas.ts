import { FIELD_SCHEMAS } from './field-schemas.js';
import { randomSchema } from './random-schemas.js';
import { randomSource } from './random-texts.js';
import { SCHEMAS } from './schemas.js';

const RANDOM_SCHEMAS = 230;

/** Schemas of each keyword, those of the field, and random ones. */
export const CASE_SCHEMAS: readonly unknown[] = [
  ...[...SCHEMAS, ...FIELD_SCHEMAS].map(([, schema]) => schema),
  ...Array.from({ length: RANDOM_SCHEMAS }, (_, i) => randomSchema(randomSource(1000 + i))),
];
