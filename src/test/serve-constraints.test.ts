/** Constraints over every interface of a server: their names, and refusals in the interface's own form that hold up nobody. */
import { writeFileSync } from 'node:fs';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GrpcClient, HttpClient } from '../client/index.js';
import type { Constraint } from '../core/constraint.js';
import { HOSTILE } from '../text/grammar/testing/hostile.js';
import { judgeOf } from '../text/grammar/testing/validators.js';
import { aloft, temporaryFolder } from '../tools/cli/testing/command-line.js';
import { buildTemporaryEngine, DEMO_MODEL } from './build-and-open.js';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
let openai: OpenAI;
let grpc: GrpcClient;
let http: HttpClient;
beforeAll(async () => {
  demo = await startDemoServer();
  openai = new OpenAI({ baseURL: `${demo.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  grpc = new GrpcClient({ address: demo.grpcAddress });
  http = new HttpClient({ url: demo.httpUrl });
});
afterAll(async () => {
  grpc.close();
  await demo.close();
});

const SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string', maxLength: 12 }, age: { type: 'integer', minimum: 0, maximum: 99 } },
  required: ['name', 'age'],
  additionalProperties: false,
};
const TAG = {
  structures: [{ begin: '<age>', schema: { type: 'integer', maximum: 9 }, end: '</age>' }],
  triggers: ['<age>'],
};
const isUnder = (constraint: Constraint) => (text: string) => judgeOf(constraint).isAnswer(text);

const GUIDES: readonly (readonly [
  type: string,
  guide: string | undefined,
  isAnswer: (text: string) => boolean,
])[] = [
  ['json_schema', JSON.stringify(SCHEMA), isUnder({ type: 'json_schema', schema: SCHEMA })],
  ['regex', '(?:yes|no){1,3}!', isUnder({ type: 'regex', pattern: '(?:yes|no){1,3}!' })],
  ['ebnf_grammar', 'root ::= "a" root "b" | "c"{2}', (text) => /^(a*)cc(b*)$/.test(text)],
  ['structural_tag', JSON.stringify(TAG), (text) => !text.includes('<age>') || /<age>-?\d/.test(text)],
];

async function joined(pieces: AsyncIterable<{ readonly text: string }>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece.text;
  return text;
}

describe("guides of TensorRT-LLM's backend", () => {
  const request = (guideType: string, guide: string | undefined, stream: boolean) => ({
    prompt: 'Once upon a time',
    maxTokens: 64,
    excludeInput: true,
    stream,
    temperature: 1.2,
    seed: 11n,
    guideType,
    ...(guide === undefined ? {} : { guide }),
  });

  test.each(GUIDES)('%s over gRPC and HTTP, streamed or not', async (type, guide, isAnswer) => {
    const texts = await Promise.all([
      joined(grpc.generate(request(type, guide, true))),
      joined(http.generate(request(type, guide, true))),
      joined(http.generate(request(type, guide, false))),
    ]);
    expect(new Set(texts).size).toBe(1);
    expect([texts[0], isAnswer(texts[0])]).toEqual([texts[0], true]);
  });

  test('json needs no guide', async () => {
    const text = await joined(http.generate({ ...request('json', undefined, false), stopWords: [','] }));
    expect(text).toMatch(/^[[{"\-\dtfn]/);
  });

  test.each([
    ['other', 'x', /guided_decoding_guide_type is "other", but must be one of json, json_schema/],
    ['regex', undefined, /guided_decoding_guide is missing/],
    ['json_schema', '{', /guided_decoding_guide is not a JSON schema/],
    ['structural_tag', '{}', /A structural tag must be an object/],
  ])('%s is refused with 400 in words: %s', async (type, guide, message) => {
    await expect(joined(http.generate(request(type, guide, false)))).rejects.toThrow(message);
    await expect(joined(grpc.generate(request(type, guide, true)))).rejects.toThrow(message);
  });
});

test("structural tags are members of OpenAI's requests, too", async () => {
  const ask = { model: 'ensemble', prompt: 'Once', max_tokens: 24, seed: 2 };
  for (const members of [
    { response_format: { type: 'structural_tag', ...TAG } },
    { structured_outputs: { structural_tag: JSON.stringify(TAG) } },
  ]) {
    const body = { ...ask, ...members } as OpenAI.CompletionCreateParamsNonStreaming;
    const { choices } = await openai.completions.create(body);
    expect(choices[0]!.text).not.toMatch(/<age>(?!-?\d|$)/);
  }
  const broken = { ...ask, response_format: { type: 'structural_tag' } } as object;
  await expect(
    openai.completions.create(broken as OpenAI.CompletionCreateParamsNonStreaming),
  ).rejects.toThrow(/'response_format' is refused: A structural tag must be an object/);
});

/** Names of constraints in OpenAI's requests. */
function membersOf(constraint: Constraint): object {
  switch (constraint.type) {
    case 'json_schema':
      return {
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema: constraint.schema } },
      };
    case 'regex':
      return { guided_regex: constraint.pattern };
    case 'grammar':
      return { grammar: constraint.grammar };
    case 'choice':
      return { guided_choice: constraint.choices };
    default:
      throw new Error('no such case');
  }
}

const GUIDE_OF: Readonly<Record<string, (constraint: never) => [type: string, guide: string]>> = {
  json_schema: ({ schema }: { schema: unknown }) => ['json_schema', JSON.stringify(schema)],
  regex: ({ pattern }: { pattern: string }) => ['regex', pattern],
  grammar: ({ grammar }: { grammar: string }) => ['ebnf_grammar', grammar],
};

/** Ten times what it may take on a quiet machine. */
const SOON_MS = 10_000;

describe('what cannot be followed is refused soon, in the form of each interface', () => {
  test.each(HOSTILE)('%s', async (_, constraint, message) => {
    const startMs = performance.now();
    const response = await demo.post('/v1/chat/completions', {
      model: 'ensemble',
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 8,
      ...membersOf(constraint),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { type: 'invalid_request_error', message: expect.stringMatching(message) as string },
    });
    const guided = GUIDE_OF[constraint.type];
    if (guided !== undefined) {
      const [guideType, guide] = guided(constraint as never);
      const body = {
        text_input: 'x',
        max_tokens: 8,
        guided_decoding_guide_type: guideType,
        guided_decoding_guide: guide,
      };
      const refused = await demo.post('/v2/models/ensemble/generate', body);
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ error: expect.stringMatching(message) as string });
    }
    expect(performance.now() - startMs).toBeLessThan(2 * SOON_MS);
  });
});

test('a stream goes on while constraints are refused', async () => {
  const request = { prompt: 'Once upon a time', maxTokens: 200, stream: true, endId: -1 };
  const times: number[] = [];
  const read = async (): Promise<void> => {
    for await (const { text } of http.generate(request)) if (text !== '') times.push(performance.now());
  };
  const reading = read();
  const refused = await Promise.all(
    HOSTILE.map(([, constraint]) =>
      demo.post('/v1/completions', {
        model: 'ensemble',
        prompt: 'x',
        max_tokens: 8,
        ...membersOf(constraint),
      }),
    ),
  );
  await reading;
  expect(refused.map(({ status }) => status)).toEqual(HOSTILE.map(() => 400));
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  expect(gaps.length).toBeGreaterThan(5);
  expect(Math.max(...gaps)).toBeLessThan(SOON_MS);
});

test('aloft run and aloft client hold an output to a form', async () => {
  const folder = temporaryFolder();
  const engine = await buildTemporaryEngine({ model_dir: DEMO_MODEL });
  try {
    const schemaFile = folder.path('schema.json');
    writeFileSync(schemaFile, JSON.stringify(SCHEMA));
    writeFileSync(folder.path('grammar.gbnf'), 'root ::= "(" root ")" | "x"');
    const run = (...flags: string[]) =>
      aloft('run', engine.directory, 'A person:', '--no_streaming', '--max_output_len', '64', ...flags);
    const outputOf = ({ out }: { out: string }) => /^Output: "(.*)"$/ms.exec(out)![1]!;
    expect(
      judgeOf({ type: 'json_schema', schema: SCHEMA }).isAnswer(
        outputOf(await run('--json_schema', schemaFile)),
      ),
    ).toBe(true);
    expect(outputOf(await run('--regex', '\\d{3}-\\d{2}'))).toMatch(/^\d{3}-\d{2}$/);
    expect(outputOf(await run('--grammar', folder.path('grammar.gbnf')))).toMatch(/^\(*x\)*$/);
    expect(await run('--regex', 'a', '--grammar', 'b')).toMatchObject({
      status: 2,
      err: expect.stringMatching(/--regex and --grammar were both given/) as string,
    });
    expect(await run('--json_schema', folder.path('none'))).toMatchObject({
      status: 2,
      err: expect.stringMatching(/--json_schema .* does not exist/) as string,
    });
    const sent = await aloft(
      'client',
      '-u',
      demo.httpUrl,
      '--protocol',
      'http',
      '-p',
      'A person:',
      '--guided-decoding-guide-type',
      'regex',
      '--guided-decoding-guide',
      'ab{2}c',
    );
    expect(sent).toMatchObject({ status: 0, out: expect.stringContaining('abbc') as string });
  } finally {
    engine.dispose();
    folder.dispose();
  }
});
