/** Schemas of the kinds that clients send, for tests and for the run of `bench/constraints`. */

const person = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0, maximum: 130 } },
  required: ['name', 'age'],
  additionalProperties: false,
};

export const SCHEMAS: [name: string, schema: unknown][] = [
  ['a closed object', person],
  ['an open object', { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] }],
  [
    'optional members',
    {
      type: 'object',
      properties: { a: { type: 'boolean' }, b: { type: 'null' }, c: { type: 'integer' } },
      additionalProperties: false,
    },
  ],
  [
    'many optional members',
    {
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`p${i}`, { type: 'boolean' }])),
      required: ['p20', 'p39'],
      additionalProperties: false,
    },
  ],
  ['an enum', { enum: ['red', 'green', 'blue', 3, null, { a: [1] }] }],
  ['a constant', { const: { unit: 'K' } }],
  ['several types', { type: ['string', 'null', 'integer'] }],
  ['a list', { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 4 }],
  ['a list of objects', { type: 'array', items: person, maxItems: 2 }],
  [
    'a tuple',
    {
      type: 'array',
      prefixItems: [{ type: 'string' }, { type: 'number' }],
      items: { type: 'boolean' },
      maxItems: 4,
    },
  ],
  ['a bounded string', { type: 'string', minLength: 3, maxLength: 9 }],
  ['a pattern', { type: 'string', pattern: '^[A-Z]{2}-\\d{3,5}$' }],
  ['a pattern inside', { type: 'string', pattern: '\\d\\d', maxLength: 12 }],
  ['a pattern of letters', { type: 'string', pattern: '^\\p{Lu}\\p{Ll}{1,4}$' }],
  ['a pattern with quotes', { type: 'string', pattern: '^["\\\\/]{2}\\n?$' }],
  ...[
    'date',
    'time',
    'date-time',
    'duration',
    'email',
    'hostname',
    'ipv4',
    'ipv6',
    'uri',
    'uuid',
    'uri-reference',
    'json-pointer',
  ].map((format): [string, unknown] => [`the format ${format}`, { type: 'string', format }]),
  ['bounded integers', { type: 'integer', minimum: -250, exclusiveMaximum: 1000 }],
  ['bounded numbers', { type: 'number', exclusiveMinimum: -1.5, maximum: 10.25 }],
  ['numbers below zero', { type: 'number', maximum: -0.001, minimum: -3 }],
  ['numbers without an upper bound', { type: 'number', exclusiveMinimum: 0 }],
  ['multiples', { type: 'integer', multipleOf: 12 }],
  ['bounded multiples', { type: 'number', multipleOf: 5, minimum: 100, maximum: 135 }],
  [
    'a tree',
    {
      $defs: {
        node: {
          type: 'object',
          properties: {
            value: { type: 'integer' },
            children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 1 },
          },
          required: ['value'],
          additionalProperties: false,
        },
      },
      $ref: '#/$defs/node',
    },
  ],
  [
    'a linked list',
    {
      type: 'object',
      properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
      required: ['next'],
      additionalProperties: false,
    },
  ],
  [
    'a union',
    {
      anyOf: [
        person,
        { type: 'string', maxLength: 5 },
        { type: 'array', items: { type: 'null' }, maxItems: 3 },
      ],
    },
  ],
  [
    'a tagged union',
    {
      oneOf: ['cat', 'dog'].map((kind) => ({
        type: 'object',
        properties: { kind: { const: kind }, [`${kind}Name`]: { type: 'string', maxLength: 4 } },
        required: ['kind', `${kind}Name`],
        additionalProperties: false,
      })),
    },
  ],
  [
    'a union with common members',
    {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      additionalProperties: false,
      anyOf: [{ required: ['a'] }, { required: ['b'] }],
    },
  ],
  [
    'parts of a whole',
    {
      allOf: [
        { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { a: { minimum: 3, maximum: 20 }, b: { type: 'boolean' } }, required: ['b'] },
      ],
      maxProperties: 2,
    },
  ],
  [
    'a map',
    {
      type: 'object',
      additionalProperties: { type: 'integer' },
      minProperties: 1,
      maxProperties: 3,
      propertyNames: { pattern: '^[a-z]{1,4}$' },
    },
  ],
  [
    'patterns of names',
    {
      type: 'object',
      patternProperties: { '^s_': { type: 'string', maxLength: 4 }, '^i_': { type: 'integer' } },
      additionalProperties: false,
      maxProperties: 3,
    },
  ],
  [
    'names that need quoting',
    {
      type: 'object',
      properties: { 'a"b\\c\n': { type: 'integer' }, 'ключ 漢': { type: 'boolean' } },
      required: ['a"b\\c\n', 'ключ 漢'],
      additionalProperties: false,
    },
  ],
  [
    'a required member without a schema',
    {
      type: 'object',
      properties: { a: { type: 'null' } },
      required: ['z', 'a'],
      additionalProperties: { type: 'integer' },
    },
  ],
  ['an empty closed object', { type: 'object', additionalProperties: false }],
  ['anything', {}],
  [
    'a tool call',
    {
      type: 'object',
      properties: {
        name: { const: 'get_weather' },
        arguments: {
          type: 'object',
          properties: {
            city: { type: 'string', minLength: 1, maxLength: 40 },
            unit: { enum: ['celsius', 'fahrenheit'] },
            days: { type: 'integer', minimum: 1, maximum: 14 },
          },
          required: ['city'],
          additionalProperties: false,
        },
      },
      required: ['name', 'arguments'],
      additionalProperties: false,
    },
  ],
];
