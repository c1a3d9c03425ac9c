/** Schemas as programs in the field send them: tools of agents, and the output of libraries that make schemas from types. */

type Member = readonly [name: string, schema: object, isOptional?: 'optional'];

/** An object as strict modes want it: closed, required unless said otherwise. */
function object(...members: readonly Member[]): object {
  return {
    type: 'object',
    properties: Object.fromEntries(members.map(([name, schema]) => [name, schema])),
    required: members.flatMap(([name, , isOptional]) => (isOptional === undefined ? [name] : [])),
    additionalProperties: false,
  };
}

const text = (description: string, more: object = {}): object => ({ type: 'string', description, ...more });
const list = (items: object, more: object = {}): object => ({ type: 'array', items, ...more });
const oneOf = (...values: readonly unknown[]): object => ({ type: 'string', enum: values });
const nullable = (schema: object): object => ({ anyOf: [schema, { type: 'null' }], default: null });
const DRAFT_7 = 'http://json-schema.org/draft-07/schema#';
const SAFE = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };

/** Tools of coding agents and of servers that agents use. */
const TOOLS: readonly (readonly [string, object])[] = [
  [
    'run a command',
    object(
      ['command', text('what to run')],
      ['timeout', { type: 'number', maximum: 600_000 }, 'optional'],
      ['background', { type: 'boolean' }, 'optional'],
    ),
  ],
  [
    'read a file',
    {
      $schema: DRAFT_7,
      ...object(
        ['file_path', text('absolute path')],
        ['offset', { type: 'number' }, 'optional'],
        ['limit', { type: 'integer', exclusiveMinimum: 0, maximum: Number.MAX_SAFE_INTEGER }, 'optional'],
      ),
    },
  ],
  [
    'edit a file',
    object(
      ['file_path', text('path')],
      ['old_string', text('before')],
      ['new_string', text('after')],
      ['replace_all', { type: 'boolean', default: false }, 'optional'],
    ),
  ],
  [
    'several edits',
    object(
      ['path', text('path')],
      ['edits', list(object(['oldText', text('a')], ['newText', text('b')]), { minItems: 1, maxItems: 3 })],
      ['dryRun', { type: 'boolean', default: false }, 'optional'],
    ),
  ],
  [
    'a list of tasks',
    object([
      'todos',
      list(
        object(
          ['content', text('task', { minLength: 1 })],
          ['status', oneOf('pending', 'in_progress', 'completed')],
          ['id', { type: 'string' }],
        ),
        { maxItems: 3 },
      ),
    ]),
  ],
  [
    'search in files',
    object(
      ['pattern', text('regex')],
      ['glob', text('files'), 'optional'],
      ['output_mode', oneOf('content', 'files_with_matches', 'count'), 'optional'],
      ['-A', { type: 'number' }, 'optional'],
      ['-i', { type: 'boolean' }, 'optional'],
    ),
  ],
  ['fetch a page', object(['url', text('address', { format: 'uri' })], ['prompt', text('question')])],
  [
    'search the web',
    object(
      ['query', text('query', { minLength: 2 })],
      ['allowed_domains', list({ type: 'string' }, { maxItems: 2 }), 'optional'],
    ),
  ],
  [
    'open an issue',
    {
      ...object(
        ['owner', text('user')],
        ['repo', text('name')],
        ['title', text('title')],
        ['labels', list({ type: 'string' }), 'optional'],
      ),
      $schema: DRAFT_7,
    },
  ],
  [
    'a pull request review',
    object(
      ['event', oneOf('APPROVE', 'REQUEST_CHANGES', 'COMMENT')],
      [
        'comments',
        list(
          {
            anyOf: [
              object(['path', text('file')], ['position', { type: 'number' }], ['body', text('text')]),
              object(['path', text('file')], ['line', { type: 'number' }], ['body', text('text')]),
            ],
          },
          { maxItems: 2 },
        ),
      ],
    ),
  ],
  [
    'weather',
    {
      type: 'object',
      properties: {
        location: text('City and state, e.g. San Francisco, CA'),
        unit: oneOf('celsius', 'fahrenheit'),
      },
      required: ['location'],
    },
  ],
  [
    'a query of a database',
    object(
      ['sql', text('SELECT only')],
      ['params', list({ type: ['string', 'number', 'boolean', 'null'] }, { maxItems: 3 }), 'optional'],
    ),
  ],
  [
    'a calendar entry',
    object(
      ['title', text('title')],
      ['start', text('start', { format: 'date-time' })],
      ['end', text('end', { format: 'date-time' })],
      ['attendees', list({ type: 'string', format: 'email' }, { maxItems: 2 })],
    ),
  ],
  [
    'a click',
    object(
      [
        'coordinate',
        { type: 'array', items: { type: 'integer', minimum: 0, maximum: 4096 }, minItems: 2, maxItems: 2 },
      ],
      ['button', oneOf('left', 'right', 'middle')],
    ),
  ],
  [
    'an action of several',
    {
      oneOf: [
        object(['action', { const: 'click' }], ['x', { type: 'integer' }], ['y', { type: 'integer' }]),
        object(['action', { const: 'type' }], ['text', text('text')]),
        object(['action', { const: 'wait' }]),
      ],
    },
  ],
  [
    'a thought',
    object(
      ['thought', text('step')],
      ['nextThoughtNeeded', { type: 'boolean' }],
      ['thoughtNumber', { type: 'integer', minimum: 1 }],
      ['totalThoughts', { type: 'integer', minimum: 1 }],
    ),
  ],
  [
    'entities of a graph',
    object([
      'entities',
      list(
        object(
          ['name', text('name')],
          ['entityType', text('type')],
          ['observations', list({ type: 'string' }, { maxItems: 2 })],
        ),
        { maxItems: 2 },
      ),
    ]),
  ],
  [
    'a handoff',
    object(['agent', oneOf('billing', 'support', 'sales')], ['reason', nullable({ type: 'string' })]),
  ],
  [
    'a tool call of any tool',
    {
      type: 'array',
      minItems: 1,
      maxItems: 2,
      items: {
        anyOf: [
          object(
            ['name', { enum: ['get_time'] }],
            ['parameters', object(['zone', text('zone', { pattern: '^[A-Z][a-z]+/[A-Z][a-z_]+$' })])],
          ),
          object(
            ['name', { enum: ['add'] }],
            ['parameters', object(['a', { type: 'number' }], ['b', { type: 'number' }])],
          ),
        ],
      },
    },
  ],
  ['no arguments', { type: 'object', properties: {} }],
];

/** What libraries make from types: titles, defaults, definitions, bounds of doubles. */
const LIBRARIES: readonly (readonly [string, object])[] = [
  [
    'a model of pydantic',
    {
      $defs: {
        Step: {
          properties: {
            explanation: { title: 'Explanation', type: 'string' },
            output: { title: 'Output', type: 'string' },
          },
          required: ['explanation', 'output'],
          title: 'Step',
          type: 'object',
          additionalProperties: false,
        },
      },
      properties: {
        steps: { items: { $ref: '#/$defs/Step' }, title: 'Steps', type: 'array' },
        final_answer: { title: 'Final Answer', type: 'string' },
      },
      required: ['steps', 'final_answer'],
      title: 'MathReasoning',
      type: 'object',
      additionalProperties: false,
    },
  ],
  [
    'optional fields of pydantic',
    {
      properties: {
        name: { title: 'Name', type: 'string' },
        nickname: {
          anyOf: [{ maxLength: 20, type: 'string' }, { type: 'null' }],
          default: null,
          title: 'Nickname',
        },
        scores: { additionalProperties: { type: 'number' }, title: 'Scores', type: 'object' },
      },
      required: ['name', 'scores'],
      title: 'Player',
      type: 'object',
    },
  ],
  [
    'an enum of pydantic',
    {
      $defs: { Color: { enum: ['red', 'green'], title: 'Color', type: 'string' } },
      properties: {
        color: { allOf: [{ $ref: '#/$defs/Color' }], description: 'paint' },
        size: { exclusiveMinimum: 0, title: 'Size', type: 'number' },
      },
      required: ['color', 'size'],
      title: 'Item',
      type: 'object',
    },
  ],
  [
    'a discriminated union of pydantic',
    {
      $defs: {
        Cat: {
          properties: {
            kind: { const: 'cat', title: 'Kind', type: 'string' },
            lives: { title: 'Lives', type: 'integer' },
          },
          required: ['kind', 'lives'],
          title: 'Cat',
          type: 'object',
        },
        Dog: {
          properties: { kind: { const: 'dog', title: 'Kind', type: 'string' } },
          required: ['kind'],
          title: 'Dog',
          type: 'object',
        },
      },
      discriminator: { mapping: { cat: '#/$defs/Cat', dog: '#/$defs/Dog' }, propertyName: 'kind' },
      oneOf: [{ $ref: '#/$defs/Cat' }, { $ref: '#/$defs/Dog' }],
    },
  ],
  [
    'a tuple of pydantic',
    {
      maxItems: 2,
      minItems: 2,
      prefixItems: [{ type: 'integer' }, { type: 'string' }],
      title: 'Pair',
      type: 'array',
    },
  ],
  [
    'dates of pydantic',
    {
      properties: {
        born: { format: 'date', title: 'Born', type: 'string' },
        id: { format: 'uuid', title: 'Id', type: 'string' },
        wait: { format: 'duration', type: 'string' },
      },
      required: ['born', 'id', 'wait'],
      type: 'object',
    },
  ],
  [
    'an object of zod',
    {
      $schema: DRAFT_7,
      ...object(
        ['id', { type: 'integer', ...SAFE }],
        ['tags', list({ type: 'string' }, { maxItems: 5 })],
        ['score', { type: 'number', minimum: 0, maximum: 1 }],
      ),
    },
  ],
  [
    'a record of zod',
    { type: 'object', propertyNames: { type: 'string' }, additionalProperties: { type: 'number' } },
  ],
  [
    'an email of zod',
    {
      type: 'string',
      format: 'email',
      pattern:
        "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
    },
  ],
  [
    'a UUID of zod',
    {
      type: 'string',
      format: 'uuid',
      pattern:
        '^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$',
    },
  ],
  [
    'a date-time of zod',
    {
      type: 'string',
      format: 'date-time',
      pattern:
        '^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d+)?)?(?:Z))$',
    },
  ],
  [
    'a union of zod',
    { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'array', items: { type: 'string' } }] },
  ],
  [
    'a recursive type of zod',
    {
      $ref: '#/definitions/Category',
      definitions: {
        Category: object(
          ['name', { type: 'string', maxLength: 8 }],
          ['children', list({ $ref: '#/definitions/Category' }, { maxItems: 1 })],
        ),
      },
    },
  ],
  [
    'an intersection of zod',
    {
      allOf: [
        { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
        { type: 'object', properties: { b: { type: 'number' } }, required: ['b'] },
      ],
    },
  ],
  [
    'a user interface',
    {
      $defs: {
        node: object(
          ['type', oneOf('div', 'button', 'field')],
          ['label', text('label')],
          ['children', list({ $ref: '#/$defs/node' }, { maxItems: 1 })],
        ),
      },
      $ref: '#/$defs/node',
    },
  ],
  [
    'an order',
    object(
      ['id', { type: 'string', pattern: '^ORD-[0-9]{6}$' }],
      ['currency', oneOf('EUR', 'USD', 'JPY')],
      [
        'lines',
        list(
          object(
            ['sku', { type: 'string', pattern: '^[A-Z0-9]{4,8}$' }],
            ['quantity', { type: 'integer', minimum: 1, maximum: 99 }],
            ['price', { type: 'number', minimum: 0 }],
          ),
          { minItems: 1, maxItems: 3 },
        ),
      ],
    ),
  ],
  [
    'an address',
    object(
      ['street', text('street', { maxLength: 60 })],
      ['zip', { type: 'string', pattern: '^\\d{5}(-\\d{4})?$' }],
      ['country', { type: 'string', minLength: 2, maxLength: 2, pattern: '^[A-Z]+$' }],
    ),
  ],
  [
    'a classification',
    object(
      ['label', oneOf('spam', 'ham')],
      ['confidence', { type: 'number', minimum: 0, maximum: 1 }],
      ['evidence', list({ type: 'string', maxLength: 30 }, { maxItems: 3 })],
    ),
  ],
  [
    'names and values',
    object([
      'entities',
      list(
        object(
          ['text', { type: 'string' }],
          ['type', oneOf('PER', 'ORG', 'LOC')],
          ['start', { type: 'integer', minimum: 0 }],
          ['end', { type: 'integer', minimum: 0 }],
        ),
        { maxItems: 2 },
      ),
    ]),
  ],
  [
    'an address of a host',
    object(
      [
        'host',
        {
          anyOf: [
            { type: 'string', format: 'hostname' },
            { type: 'string', format: 'ipv4' },
            { type: 'string', format: 'ipv6' },
          ],
        },
      ],
      ['port', { type: 'integer', minimum: 1, maximum: 65_535 }],
    ),
  ],
  [
    'a colour',
    object(
      ['hex', { type: 'string', pattern: '^#[0-9a-fA-F]{6}$' }],
      ['alpha', nullable({ type: 'number', minimum: 0, maximum: 1 })],
    ),
  ],
  [
    'a version',
    {
      type: 'string',
      pattern: '^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-[0-9A-Za-z-]+)?$',
      maxLength: 24,
    },
  ],
  ['an identifier', { type: 'string', pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$', maxLength: 32 }],
  ['a slug', { type: 'string', pattern: '^[a-z0-9]+(?:-[a-z0-9]+)*$', maxLength: 40 }],
  ['words of an answer', object(['answer', { type: 'string', pattern: '^\\S+( \\S+){0,5}$' }])],
];

export const FIELD_SCHEMAS: [name: string, schema: unknown][] = [...TOOLS, ...LIBRARIES].map(
  ([name, schema]) => [name, schema],
);
