/** Schemas that a seed makes: types, bounds, unions, references and recursion in all combinations. */

type Random = () => number;
type Schema = Record<string, unknown>;

const WORDS = [
  'id',
  'name',
  'kind',
  'city',
  'value',
  'items',
  'note',
  'owner',
  'größe',
  'x-1',
  'is_open',
  'a b',
];
const PATTERNS = [
  '^[a-z]{2,6}$',
  '^\\d{3}-\\d{2}$',
  '^(yes|no|maybe)$',
  '[0-9]',
  '^[A-Z][a-z]*( [A-Z][a-z]*)?$',
  '^\\w+$',
  '^.{2,5}$',
];
const FORMATS = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid'];

/** @returns one that is closed often and never without an end */
export function randomSchema(random: Random): unknown {
  const defs: Schema = { leaf: scalar(random) };
  const root = schemaOf(random, 3);
  if (random() < 0.3) {
    defs['tree'] = {
      type: 'object',
      properties: {
        leaf: { $ref: '#/$defs/leaf' },
        next: { anyOf: [{ $ref: '#/$defs/tree' }, { type: 'null' }] },
      },
      required: random() < 0.5 ? ['leaf', 'next'] : ['next'],
      additionalProperties: false,
    };
    return { $defs: defs, type: 'array', prefixItems: [root, { $ref: '#/$defs/tree' }], items: false };
  }
  return { $defs: defs, anyOf: [root, { $ref: '#/$defs/leaf' }] };
}

const below = (random: Random, count: number): number => Math.floor(random() * count);
const pick = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)]!;

function schemaOf(random: Random, depth: number): Schema {
  const makers = depth === 0 ? [scalar] : [scalar, object, object, array, union, map];
  return pick(random, makers)(random, depth - 1);
}

function scalar(random: Random): Schema {
  return pick(random, [
    text,
    text,
    integer,
    number,
    values,
    () => ({ type: 'boolean' }),
    () => ({ type: 'null' }),
  ])(random);
}

function text(random: Random): Schema {
  const minLength = below(random, 3);
  return pick<() => Schema>(random, [
    () => ({ type: 'string' }),
    () => ({ type: 'string', minLength, maxLength: minLength + below(random, 12) }),
    () => ({ type: 'string', pattern: pick(random, PATTERNS) }),
    () => ({ type: 'string', pattern: pick(random, PATTERNS), maxLength: 5 + below(random, 9) }),
    () => ({ type: 'string', format: pick(random, FORMATS) }),
  ])();
}

function integer(random: Random): Schema {
  const minimum = below(random, 200) - 100;
  return pick<() => Schema>(random, [
    () => ({ type: 'integer' }),
    () => ({ type: 'integer', minimum, maximum: minimum + below(random, 500) }),
    () => ({ type: 'integer', exclusiveMinimum: minimum }),
    () => ({ type: 'integer', multipleOf: 1 + below(random, 9) }),
  ])();
}

function number(random: Random): Schema {
  const minimum = below(random, 40) / 4 - 5;
  return pick<() => Schema>(random, [
    () => ({ type: 'number' }),
    () => ({ type: 'number', minimum, exclusiveMaximum: minimum + 1 + below(random, 9) }),
    () => ({ type: ['number', 'null'], maximum: minimum }),
  ])();
}

function values(random: Random): Schema {
  const all = ['on', 'off', 'a "quoted" one', 7, -1.5, null, true, [1, 2], { k: 'v' }];
  return random() < 0.2
    ? { const: pick(random, all) }
    : { enum: all.filter((_, i) => i === 0 || random() < 0.4) };
}

function object(random: Random, depth: number): Schema {
  const names = WORDS.filter(() => random() < 0.3);
  const schema: Schema = {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, schemaOf(random, depth)])),
    required: names.filter(() => random() < 0.6),
  };
  return random() < 0.8 ? { ...schema, additionalProperties: false } : schema;
}

function array(random: Random, depth: number): Schema {
  const minItems = below(random, 2);
  const items = schemaOf(random, depth);
  return random() < 0.25
    ? { type: 'array', prefixItems: [items, scalar(random)], items: false, minItems: 1 }
    : { type: 'array', items, minItems, maxItems: minItems + 1 + below(random, 3) };
}

function union(random: Random, depth: number): Schema {
  if (random() < 0.5) return { anyOf: [schemaOf(random, depth), schemaOf(random, depth)] };
  const branch = (kind: string): Schema => ({
    type: 'object',
    properties: { kind: { const: kind }, value: schemaOf(random, depth) },
    required: ['kind', 'value'],
    additionalProperties: false,
  });
  return { oneOf: [branch('first'), branch('second')] };
}

function map(random: Random, depth: number): Schema {
  const additionalProperties = schemaOf(random, depth);
  return random() < 0.5
    ? { type: 'object', additionalProperties, maxProperties: 2 }
    : {
        type: 'object',
        patternProperties: { '^[a-z]{1,3}_': additionalProperties },
        additionalProperties: false,
        maxProperties: 2,
      };
}
