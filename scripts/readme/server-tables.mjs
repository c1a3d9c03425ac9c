/** The README's blocks of the server, on a CPU. Files of one block are of one commit. */
import { number, paragraph, source, table } from './format.mjs';
import { commitOf, Refusal } from './results.mjs';

const API_NAMES = {
  sse: 'SSE',
  openai: 'OpenAI',
  grpc: 'gRPC',
  'grpc-call': 'gRPC, a call for each request',
  'sse-ids': 'SSE, token ids',
  'grpc-ids': 'gRPC, token ids',
};

/** The one commit of several files. @throws {Refusal} they are of several */
function sharedCommit(results) {
  const commits = [...new Set(results.map(commitOf))];
  if (commits.length !== 1)
    throw new Refusal(
      `${results.map(({ path }) => path).join(', ')} are of commits ${commits.join(' and ')}`,
    );
  return commits[0];
}

/** Overhead of the server over the Node API. */
export function overheadBlock(results) {
  const files = results.filter(({ path }) => path.startsWith('serve/overhead-'));
  const commit = sharedCommit(files);
  const apis = Object.keys(API_NAMES);
  const order = ({ data: { settings } }) =>
    Number(settings.threads) * apis.length + apis.indexOf(settings.api);
  const sorted = files.toSorted((a, b) => order(a) - order(b));
  const rows = sorted.map(({ data: { settings, summary } }) => [
    API_NAMES[settings.api],
    settings.threads,
    number(summary.ttftRatio, 2),
    number(summary.tokensPerSecondRatio, 2),
  ]);
  const [{ machine, settings }] = sorted.map(({ data }) => data);
  const from = source({ script: 'bench/serve/overhead.mjs', commit, paths: sorted.map(({ path }) => path) });
  const caption = `What the server adds to the Node API, as its figure over the API's: the demo model, ${settings.concurrency} requests
    at a time, on a machine of ${machine.coreCount} cores, which engine, server and client share (${from}).`;
  const header = ['API', 'engine threads', 'time to first token', 'tokens/s'];
  return `${paragraph(caption)}\n\n${table(header, rows)}`;
}

/** Throughput of the front end with an engine that computes nothing, at the least rate that was offered. */
export function frontEndBlock(results) {
  const [file] = results.filter(({ path }) => path === 'serve/front-end.json');
  const commit = commitOf(file);
  const { rows, machine } = file.data;
  const offer = Math.min(...rows.map((row) => row.offeredTokensPerSecond));
  const apis = [...new Set(rows.map((row) => row.api))];
  const leastOf = (api) =>
    rows
      .filter((row) => row.api === api && row.offeredTokensPerSecond === offer)
      .toSorted((a, b) => a.steadyTokensPerSecond - b.steadyTokensPerSecond)[0];
  const body = apis
    .map(leastOf)
    .map((row) => [
      API_NAMES[row.api],
      number(row.steadyTokensPerSecond),
      number(row.tokensPerMessage, 1),
      number(row.firstTokenMs.p99),
      number(row.serverCpuMicrosecondsPerToken, 1),
    ]);
  const from = source({ script: 'bench/serve/front-end.mjs', commit, paths: [file.path] });
  const caption = `What the front end passes of the tokens of an engine that computes nothing and offers ${number(offer)} a second to
    ${number(rows[0].streams)} streams, on a machine of ${machine.coreCount} cores, which the client shares (${from}).`;
  const header = ['API', 'tokens/s', 'tokens a message', 'first token p99, ms', 'CPU a token, µs'];
  return `${paragraph(caption)}\n\n${table(header, body)}`;
}

/** Outcome of the attack. @throws {Refusal} it did not pass, or a part is missing */
export function reliabilityBlock(results) {
  const [file] = results.filter(({ path }) => path === 'serve/attack.json');
  if (file === undefined) throw new Refusal('serve/attack.json is missing');
  const commit = commitOf(file);
  const { passes, machine, parts } = file.data;
  if (!passes) throw new Refusal('serve/attack.json did not pass');
  const { bombs, engines, checkpoints, requests, pages } = parts;
  const { health } = bombs.waitsMs;
  const from = source({ script: 'bench/attack/attack.mjs', commit, paths: [file.path] });
  return paragraph(`An attack of ${bombs.count} resource bombs, ${engines.length} engines that lie, ${checkpoints.length} checkpoints,
    tokenizers and templates of strangers, ${number(requests.requestCount)} mutated requests over all protocols and
    ${pages.requestCount} calls from pages of other origins in Chromium ended no process, and left no answer of 500 or more
    without a code. While the bombs came in, a probe of another client waited ${number(health.p99)} ms at the 99th percentile and
    ${number(health.max)} ms at most, on a machine of ${machine.coreCount} cores (${from}). [SECURITY.md](SECURITY.md) says what
    is trusted, what is limited and how to report.`);
}
