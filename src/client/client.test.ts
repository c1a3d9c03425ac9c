import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from '../tools/cli/main.js';
import { COMMANDS } from '../tools/cli/commands.js';
import { byteIds } from '../serve/testing/byte-codec.js';
import { ENDLESS_PROMPT } from '../serve/testing/scripted-model.js';
import { startTestServer, until, type TestServer } from '../serve/testing/test-server.js';
import { GrpcClient } from './grpc-client.js';
import { HttpClient } from './http-client.js';
import type { TextPiece, TextRequest } from './text-request.js';

let server: TestServer;
let grpc: GrpcClient;
let http: HttpClient;
beforeAll(async () => {
  server = await startTestServer({ script: { tokenMs: 1 } });
  grpc = new GrpcClient({ address: server.grpcAddress });
  http = new HttpClient({ url: server.httpUrl });
});
afterAll(async () => {
  grpc.close();
  await server.close();
});

async function collect(pieces: AsyncIterable<TextPiece>, onPiece = () => {}): Promise<string[]> {
  const texts: string[] = [];
  for await (const piece of pieces) {
    texts.push(piece.text);
    onPiece();
  }
  return texts;
}

describe('programs', () => {
  const request: TextRequest = {
    prompt: '你好 😀 and others',
    maxTokens: 200,
    temperature: 0.5,
    seed: 2n ** 63n + 1n,
    stopWords: ['x,y', '"q"'],
  };

  test.each<[string, () => GrpcClient | HttpClient]>([
    ['grpc', () => grpc],
    ['http', () => http],
  ])('%s: streamed is whole, fields arrive exactly', async (_, client) => {
    const whole = await collect(client().generate(request));
    // The model is never further ahead of the reader than one character may be long.
    server.model.hold(4);
    const onPiece = () => server.model.allow(4);
    const streamed = collect(client().generate({ ...request, stream: true }), onPiece);
    const pieces = await streamed.finally(() => server.model.allow());
    expect(whole).toEqual(['你好 😀 and others echo of 你好 😀 and others']);
    expect(request.prompt + pieces.join('')).toBe(whole[0]);
    expect(pieces.length).toBeGreaterThan(5);
    expect(server.model.requests.at(-1)).toMatchObject({
      temperature: 0.5,
      seed: 2n ** 63n + 1n,
      stop: ['x,y', '"q"'],
    });
  });

  test.each<[string, () => GrpcClient | HttpClient]>([
    ['grpc', () => grpc],
    ['http', () => http],
  ])('%s: leaving early and aborting free the request', async (_, client) => {
    const endless: TextRequest = { prompt: ENDLESS_PROMPT, maxTokens: 3000, stream: true };
    for await (const piece of client().generate(endless)) if (piece.text !== '') break;
    await until(() => server.model.runningCount === 0);
    const controller = new AbortController();
    const reading = collect(client().generate(endless, { signal: controller.signal }));
    await until(() => server.model.runningCount === 1);
    controller.abort();
    await expect(reading).rejects.toThrow();
    await until(() => server.model.runningCount === 0);
  });

  test('errors have codes', async () => {
    await expect(collect(grpc.generate({ ...request, model: 'nope' }))).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    await expect(collect(http.generate({ ...request, model: 'nope' }))).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    await expect(collect(grpc.generate({ ...request, maxTokens: 0 }))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });

  test('readiness', async () => {
    expect([await grpc.isReady(), await http.isReady()]).toEqual([true, true]);
  });
});

describe('command', () => {
  const run = async (...words: string[]) => {
    let out = '';
    let err = '';
    const terminal = {
      out: (text: string) => void (out += text),
      err: (text: string) => void (err += text),
      isInteractive: false,
    };
    const status = await main(words, COMMANDS, terminal);
    return { status, out, err };
  };
  const url = () => ['-u', server.grpcAddress];

  test.each([
    'client',
    'inflight_batcher_llm_client',
    'end_to_end_streaming_client',
    'end_to_end_grpc_client',
  ])("%s takes the article's command line", async (name) => {
    const { status, out } = await run(name, ...url(), '-p', 'What is deep learning ?', '-S', '-o', '128');
    expect([status, out]).toEqual([0, ' echo of What is deep learning ?\n']);
  });

  test('without -S the prompt is part of the answer, as upstream', async () => {
    expect((await run('client', ...url(), '-p', 'a', '-o', '8')).out).toBe('a echo of\n');
    expect((await run('client', ...url(), '-p', 'a', '-o', '8', '--exclude-input-in-output')).out).toBe(
      ' echo of\n',
    );
  });

  test('over HTTP', async () => {
    const address = server.httpUrl.replace('http://', '');
    expect((await run('client', '-i', 'http', '-u', address, '-p', 'a', '-S')).out).toBe(' echo of a\n');
  });

  test('check-output, concurrency, stop-after-ms', async () => {
    const good = await run('client', ...url(), '-p', 'a', '-S', '-c', '--expected-output', ' echo of a');
    expect([good.status, good.out]).toEqual([0, expect.stringContaining('PASS!')]);
    const bad = await run('client', ...url(), '-p', 'a', '-S', '-c', '--expected_output', 'b');
    expect([bad.status, bad.out]).toEqual([1, expect.stringContaining('FAIL!')]);
    const many = await run('client', ...url(), '-p', 'a', '-S', '--concurrency', '3');
    expect(many.out.split('\n').filter(Boolean).toSorted()).toEqual([
      '[0]  echo of a',
      '[1]  echo of a',
      '[2]  echo of a',
    ]);
    const endless = ['-p', ENDLESS_PROMPT, '-S', '-o', '3000'];
    const stopped = await run('client', ...url(), ...endless, '--stop-after-ms', '100');
    expect([stopped.status, stopped.out]).toEqual([
      0,
      expect.stringContaining('Got cancellation response from server'),
    ]);
    await until(() => server.model.runningCount === 0);
  });

  test('several answers are printed whole, and log probabilities where they are asked for', async () => {
    const many = await run('client', ...url(), '-p', 'a', '-S', '-n', '2');
    expect(many.out).toBe('[0]  echo of a\n[1]  echo of a\n');
    const scored = await run('client', ...url(), '-p', 'a', '-S', '-o', '2', '--return-log-probs');
    expect(scored.out).toMatch(/^ e\noutput_log_probs = \[-?[\d.]+,-?[\d.]+\]\n$/);
    const asJson = await run('client', ...url(), '-p', 'a', '-S', '-n', '2', '--json');
    const answer: unknown = JSON.parse(asJson.out);
    expect(answer).toMatchObject({ request: 0, texts: [' echo of a', ' echo of a'] });
  });

  test.each([
    ['-p', 'a', '--lora-path', 'x', /--lora-path.*there are no LoRA adapters/],
    ['-p', 'a', '--batch-inputs', /--batch-inputs is not supported: use --concurrency/],
  ])('%s %s %s is refused', async (...words) => {
    const { status, err } = await run('client', ...url(), ...(words.slice(0, -1) as string[]));
    expect([status, err]).toEqual([2, expect.stringMatching(words.at(-1) as RegExp)]);
  });

  describe('token ids, as inflight_batcher_llm_client sends them', () => {
    const csv = (name: string, ids: string) => {
      const path = join(server.directory, name);
      writeFileSync(path, ids);
      return path;
    };
    const tokens = (...words: string[]) => {
      const input = csv('input.csv', '100,101');
      return run('inflight_batcher_llm_client', ...url(), '--input-tokens-csv', input, ...words);
    };

    test('streamed and whole', async () => {
      const streamed = await tokens('-S', '--request-output-len', '3', '-C', 'none');
      const lines = streamed.out.split('\n');
      expect([streamed.status, lines[0], lines.at(-2)]).toEqual([
        0,
        '=========',
        expect.stringMatching(/^output_ids =  \[\[100,101(,\d+){3}\]\]$/),
      ]);
      expect(lines.slice(1, -2).every((line) => /^\[\d+(,\d+)*\]$/.test(line))).toBe(true);
      const whole = await tokens('--request-output-len', '3');
      expect(whole.out).toBe(`=========\nGot completed request\n${lines.at(-2)}\n`);
    });

    test('check', async () => {
      const { out } = await tokens('--request-output-len', '3');
      const [, , ...ids] = JSON.parse(/\[\[(.*)\]\]/.exec(out)![0])[0] as number[];
      const expected = csv('output.csv', ids.join(','));
      const good = await tokens('--request-output-len', '3', '-c', '--output-tokens-csv', expected);
      expect([good.status, good.out]).toEqual([0, expect.stringContaining('PASS!')]);
      const half = csv('half.csv', `${ids[0]},0`);
      const bad = await tokens('-o', '3', '-c', '--output-tokens-csv', half);
      expect([bad.status, bad.out]).toEqual([1, expect.stringContaining('FAIL!')]);
      const enough = ['--correctness-threshold', '0.5'];
      expect((await tokens('-o', '3', '-c', '--output-tokens-csv', half, ...enough)).status).toBe(0);
      expect((await tokens('-c')).err).toMatch(/needs --output-tokens-csv/);
    });

    test.each([[[]], [['--stop-via-request-cancel']]])('stopping %j', async (how) => {
      const input = csv('endless.csv', byteIds(ENDLESS_PROMPT).join(','));
      const endless = ['--input-tokens-csv', input, '-o', '3000', '-S', '--stop-after-ms', '100'];
      const { status, out } = await tokens(...endless, ...how);
      expect([status, out]).toEqual([0, expect.stringContaining('Got cancellation response from server')]);
      await until(() => server.model.runningCount === 0);
    });

    test('a model that takes text is named', async () => {
      expect((await tokens('--model-name', 'ensemble')).err).toMatch(/'ensemble' has no input 'input_ids'/);
    });
  });

  test('errors are reported', async () => {
    const unknown = await run('client', ...url(), '-p', 'a', '--model-name', 'nope');
    expect([unknown.status, unknown.err]).toEqual([
      1,
      // One error, and nothing after it.
      expect.stringMatching(/^Received an error from server:\nRequest for unknown model: 'nope'[^\n]*\n$/),
    ]);
    expect((await run('client', ...url())).status).toBe(2);
  });
});
