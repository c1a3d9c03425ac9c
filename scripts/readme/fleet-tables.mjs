/** The block of docs/guide/scale-out.md: what fleets of replicas do under each way of routing, by simulation. */
import { number, paragraph, source, table } from './format.mjs';
import { commitOf, Refusal } from './results.mjs';

const HEADER = [
  'routing',
  'replicas',
  'tokens/s a replica',
  'first token p50',
  'p99',
  'later tokens p50',
  'from prefix caches',
];

/** A table for each number of conversations a second, of the files that have it. */
export function fleetBlock(results) {
  const files = results.filter(({ path }) => path.startsWith('fleet/'));
  if (files.length === 0) throw new Refusal('no result of bench/fleet');
  return files
    .toSorted((a, b) => leastRate(a) - leastRate(b))
    .map(fileTable)
    .join('\n\n');
}

const leastRate = ({ data: { rows } }) => Math.min(...rows.map((row) => row.conversationsPerSecond));

function fileTable(file) {
  const { rows, command } = file.data;
  const rates = [...new Set(rows.map((row) => row.conversationsPerSecond))];
  const seconds = Number(/--seconds ([\d.]+)/.exec(command)[1]);
  const from = source({
    script: 'bench/fleet/fleet.mjs',
    commit: commitOf(file),
    paths: [file.path],
    root: '../../',
  });
  return rates.map((rate) => rateTable(rows, rate, seconds, from)).join('\n\n');
}

function rateTable(rows, rate, seconds, from) {
  const ofRate = rows.filter((row) => row.conversationsPerSecond === rate);
  const body = ofRate.map((row) => [
    row.policy,
    number(row.replicaCount),
    number(row.tokensPerSecondAndReplica),
    `${number(row.firstTokenP50Ms)} ms`,
    `${number(row.firstTokenP99Ms)} ms`,
    `${number(row.nextTokenP50Ms, 1)} ms`,
    `${number(100 * row.prefixHitRate)}%`,
  ]);
  const caption = `${number(rate)} conversations a second begin for each replica; the second half of ${number(seconds)} seconds (${from}):`;
  return `${paragraph(caption)}\n\n${table(HEADER, body)}`;
}
