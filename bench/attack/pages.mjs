/** A page of another origin, in a real browser, that calls the server in every way that pages have. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { launchChromium } from '../../dist/serve/testing/browser.js';

/** Names that an attacker binds to this machine. */
const REBOUND = '--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP evil.example 127.0.0.1';

const CALLS = [
  ['/v2/models/ensemble/generate', '{"text_input":"a","max_tokens":2}'],
  ['/v2/models/tensorrt_llm_bls/generate_stream', '{"text_input":"a","max_tokens":2,"stream":true}'],
  ['/v1/completions', '{"model":"ensemble","prompt":"a","max_tokens":2}'],
  ['/v1/chat/completions', '{"model":"ensemble","messages":[{"role":"user","content":"a"}],"max_tokens":2}'],
  ['/v2/repository/models/tensorrt_llm/unload', '{}'],
  ['/v2/repository/models/tensorrt_llm/load', '{"parameters":{"config":"name: \\"x\\""}}'],
  ['/v2/logging', '{"log_verbose_level":3}'],
  ['/v2/trace/setting', '{"trace_level":["OFF"]}'],
  ['/v2/repository/index', '{}'],
  ['/v2/models/ensemble/infer', '{"inputs":[]}'],
];
const WAYS = ['no-cors', 'cors', 'form', 'beacon', 'read'];

/**
 * @returns 100 calls: each path in each way, from another origin and from a name that was bound to the server's address
 *   after the page had loaded; and the answers that came through, counted by the server's own requests
 */
export async function attackWithPages(target) {
  const page = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>evil</title>'),
  );
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  const browser = await launchChromium([REBOUND]);
  const results = { requestCount: 0, readable: 0, statuses: {} };
  try {
    const context = await browser.newContext();
    const evil = await context.newPage();
    evil.on('response', (response) => {
      if (response.url().includes(`:${target.httpPort}/`))
        results.statuses[response.status()] = (results.statuses[response.status()] ?? 0) + 1;
    });
    await evil.goto(`http://evil.example:${page.address().port}/`);
    for (const host of ['127.0.0.1', 'rebound.example']) {
      for (const [path, body] of CALLS) {
        for (const way of WAYS) {
          const url = `http://${host}:${target.httpPort}${path}`;
          results.requestCount++;
          const isReadable = await evil.evaluate(callFromPage, { url, body, way });
          if (isReadable) results.readable++;
        }
      }
    }
    // The rebound page itself: its origin is the server's own, by a name that is not.
    const rebound = await context.newPage();
    const answer = await rebound.goto(`http://rebound.example:${target.httpPort}/v2/models/ensemble/config`);
    results.reboundStatus = answer.status();
  } finally {
    await browser.close();
    page.close();
  }
  const index = await (await fetch(`${target.http}/v2/repository/index`, { method: 'POST' })).json();
  const logging = await (await fetch(`${target.http}/v2/logging`)).json();
  results.isUnchanged = index.every(({ state }) => state === 'READY') && logging.log_verbose_level === 0;
  results.isHeld = results.readable === 0 && results.isUnchanged && results.reboundStatus === 403;
  return results;
}

/** Runs in the page. @returns whether the page could read an answer that the server meant for its users */
async function callFromPage({ url, body, way }) {
  const limited = { signal: AbortSignal.timeout(3000) };
  try {
    switch (way) {
      case 'no-cors':
        await fetch(url, { method: 'POST', mode: 'no-cors', body, ...limited });
        return false;
      case 'cors':
        return (
          await fetch(url, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body,
            ...limited,
          })
        ).ok;
      case 'read':
        return (await fetch(url, { ...limited })).ok;
      case 'beacon':
        navigator.sendBeacon(url, body);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return false;
      default: {
        const frame = Object.assign(document.createElement('iframe'), { name: `f${Math.random()}` });
        const form = Object.assign(document.createElement('form'), {
          action: url,
          method: 'POST',
          enctype: 'text/plain',
          target: frame.name,
        });
        form.append(Object.assign(document.createElement('input'), { name: body, value: '' }));
        document.body.append(frame, form);
        form.submit();
        await new Promise((resolve) => setTimeout(resolve, 50));
        frame.remove();
        form.remove();
        return false;
      }
    }
  } catch {
    return false;
  }
}
