/** In-flight batching as it happens: slots, queue, cache blocks, throughput. */
import type { LiveEngine, LiveRequest } from '../../src/protocol/live.js';
import { Chart } from './chart.js';
import { CrowdButton } from './crowd.js';
import { firstTokenTimes, liveEngines, samples } from './state.js';

const WAIT_REASONS = {
  blocks: 'no free cache blocks',
  slots: 'no free slot',
  tokens: 'the step is full of tokens',
};

export function Batcher() {
  const engines = liveEngines.value;
  return (
    <>
      <div class="title">
        <h2>Batcher</h2>
        <CrowdButton />
      </div>
      <p class="explain">
        Every step runs <b>all</b> slots at once and gives each one token. A request takes a slot as soon as
        one is free and leaves it when it ends; nobody waits for a batch to finish.
      </p>
      <Numbers />
      <Chart />
      {engines.length === 0 && <p class="hint">No engine is loaded yet.</p>}
      {engines.map((engine) => (
        <Engine key={engine.model} engine={engine} />
      ))}
    </>
  );
}

function Numbers() {
  const last = samples.value.slice(-5);
  const rate = last.reduce((sum, sample) => sum + sample.tokensPerSecond, 0) / Math.max(1, last.length);
  const times = firstTokenTimes.value.toSorted((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)];
  return (
    <dl class="numbers">
      <div>
        <dt>Tokens/s</dt>
        <dd>{rate.toFixed(rate < 100 ? 1 : 0)}</dd>
      </div>
      <div>
        <dt>Running</dt>
        <dd>{samples.value.at(-1)?.runningCount ?? 0}</dd>
      </div>
      <div>
        <dt>Waiting</dt>
        <dd>{samples.value.at(-1)?.waitingCount ?? 0}</dd>
      </div>
      <div>
        <dt>First token, median</dt>
        <dd>{median === undefined ? '–' : `${median.toFixed(0)} ms`}</dd>
      </div>
    </dl>
  );
}

function Engine({ engine }: { readonly engine: LiveEngine }) {
  const running = engine.requests.filter((request) => request.state === 'running');
  const waiting = engine.requests.filter((request) => request.state === 'waiting');
  const free = Math.max(0, Math.min(engine.slotCount, MAX_LANES) - running.length);
  const reason = engine.waitReason === null ? undefined : WAIT_REASONS[engine.waitReason];
  return (
    <section class="lanes" aria-label={`Slots of ${engine.model}`}>
      <h3>
        {engine.model}: {running.length} of {engine.slotCount} slots
      </h3>
      <Blocks engine={engine} />
      {engine.ranks.length > 1 && <Ranks engine={engine} />}
      <ol>
        {running.slice(0, MAX_LANES).map((request) => (
          <Lane key={request.id} request={request} />
        ))}
        {Array.from({ length: free }, (_, i) => (
          <li key={`free${i}`} class="lane free" aria-label="free slot" />
        ))}
      </ol>
      <h3>
        Queue: {waiting.length}
        {reason === undefined || waiting.length === 0 ? '' : ` (${reason})`}
      </h3>
      <ul class="queue">
        {waiting.slice(0, MAX_QUEUE).map((request) => (
          <li
            key={request.id}
            title={`${request.promptTokens} prompt tokens, waiting for ${(request.ageMs / 1000).toFixed(1)} s`}
          >
            {request.id}
          </li>
        ))}
      </ul>
    </section>
  );
}

const MAX_LANES = 16;
const MAX_QUEUE = 40;

function Lane({ request }: { readonly request: LiveRequest }) {
  const limit = request.promptTokens + (request.maxOutputTokens ?? Math.max(64, request.outputTokens * 1.5));
  const share = (tokens: number) => `${Math.min(100, (100 * tokens) / limit).toFixed(2)}%`;
  return (
    <li
      class="lane"
      aria-label={`request ${request.id}: ${request.promptTokens} prompt tokens, ${request.outputTokens} generated`}
    >
      <span class="prompt" style={{ width: share(request.promptTokens) }} />
      <span class="output" style={{ width: share(request.outputTokens) }} />
      <span class="label">
        {request.id} · {request.promptTokens} + {request.outputTokens}
      </span>
    </li>
  );
}

/** Memory of each rank of an engine over several processes. */
function Ranks({ engine }: { readonly engine: LiveEngine }) {
  const used = engine.ranks.flatMap(({ memory }) => memory.filter(({ bytes }) => bytes > 0));
  const purposes = [...new Set(used.map(({ purpose }) => purpose))];
  return (
    <div class="ranks">
      <table>
        <caption>{`Memory of ${engine.ranks.length} ranks`}</caption>
        <thead>
          <tr>
            <th scope="col">rank</th>
            {purposes.map((purpose) => (
              <th key={purpose} scope="col">
                {purpose}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {engine.ranks.map(({ rank, device, memory }) => (
            <tr key={rank}>
              <th scope="row">{`${rank} (${device})`}</th>
              {purposes.map((purpose) => (
                <td key={purpose}>{megabytes(memory.find((use) => use.purpose === purpose)?.bytes ?? 0)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function megabytes(bytes: number): string {
  const mebi = bytes / 2 ** 20;
  return mebi >= 1024 ? `${(mebi / 1024).toFixed(1)} GiB` : `${mebi.toFixed(mebi < 10 ? 1 : 0)} MiB`;
}

function Blocks({ engine }: { readonly engine: LiveEngine }) {
  const { totalBlockCount: total, freeBlockCount: free, cachedBlockCount: cached } = engine;
  const used = Math.max(0, total - free - cached);
  const share = (count: number) => `${total === 0 ? 0 : (100 * count) / total}%`;
  const label = `KV cache: ${used} of ${total} blocks in use, ${cached} kept for prefixes; ${engine.blockTokens} tokens a block`;
  return (
    <figure class="blocks">
      <div class="bar" role="img" aria-label={label}>
        <span class="used" style={{ width: share(used) }} />
        <span class="cached" style={{ width: share(cached) }} />
      </div>
      <figcaption>{label}</figcaption>
    </figure>
  );
}
