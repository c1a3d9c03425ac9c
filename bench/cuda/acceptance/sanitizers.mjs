/** Parts that compare every kernel with the reference, plainly and under compute-sanitizer. */
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { MODEL_CASES } from '../../../dist/test/cuda/model-cases.js';
import { hazardsOf, judgeReports, withCounts } from './race-reports.mjs';

const GiB = 2 ** 30;
const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
const half = Math.max(1, Math.floor(availableParallelism() / 2));

/**
 * Processes at a time. Most of a check's time is the reference's, on one core. The race checker takes some 30 GB of memory for
 * the first case of a process, and more for each one after it.
 */
const AT_ONCE = { none: half, memcheck: half, racecheck: Math.max(1, Math.floor(memory / (36 * GiB))) };

/**
 * The comparison of every kernel with the reference, each case in a process of its own.
 * @returns what each of them printed
 * @throws an error that names every case whose process failed, after the others have run
 */
async function compareAll(session, { before = [], limitSeconds, atOnce }) {
  const library = session.libraryPath === undefined ? [] : ['--library-path', session.libraryPath];
  const program = [process.execPath, join(session.app, 'dist/test/cuda/check.js')];
  const cases = MODEL_CASES.map(({ name }, i) => {
    const shard = ['--shard', `${i + 1}/${MODEL_CASES.length}`];
    return { name, line: [...before, ...program, ...library, ...shard] };
  });
  const printed = [];
  const failures = [];
  const takeTurns = async () => {
    for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
      const { name, line } = next;
      await session.runLine(line, limitSeconds).then(
        (text) => printed.push(text),
        ({ message }) => failures.push(`${name}: ${message}`),
      );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, takeTurns));
  if (failures.length > 0) throw new Error(failures.join('\n'));
  return printed;
}

const resultLines = (printed) => printed.split('\n').filter((line) => /^(pass|FAIL)/.test(line));

export async function conformance(session) {
  const printed = await compareAll(session, { limitSeconds: 60, atOnce: AT_ONCE.none });
  return printed.flatMap(resultLines).join('\n');
}

/** The comparison under a tool, and what the tool reports of it. Reports in cuBLASLt's kernels are counted and do not fail it. */
async function sanitize(session, tool, limitSeconds, excused) {
  const before = ['compute-sanitizer', '--tool', tool, '--print-limit', '0'];
  const printed = await compareAll(session, { before, limitSeconds, atOnce: AT_ONCE[tool] });
  const verdicts = printed.map((text) => judgeReports(text, excused));
  return {
    caseCount: printed.flatMap(resultLines).length,
    excused: verdicts.flatMap((verdict) => verdict.excused),
    foreignCount: verdicts.reduce((sum, { foreignCount }) => sum + foreignCount, 0),
    faults: withCounts(verdicts.flatMap((verdict) => verdict.faults)),
  };
}

const outcome = ({ caseCount, faults, foreignCount }) =>
  [
    `${caseCount} cases, ${foreignCount} reports in kernels of cuBLASLt, ${faults.length === 0 ? 'none' : faults.length} in ours`,
    ...faults,
  ].join('\n');

export async function memcheck(session) {
  const checked = await sanitize(session, 'memcheck', 240);
  return { ok: checked.faults.length === 0, text: outcome(checked) };
}

/**
 * The exchange of sums over a cluster in wide.cuh. `cluster_store` has no other caller, which a test holds, so a race between
 * these two functions lies in that exchange.
 */
export const EXCHANGE = { write: 'cluster_store', read: 'load_shared16' };
const EVIDENCE = { write: 'write_other', read: 'read_own' };
const VARIANTS = ['mbarrier', 'cluster-barrier'];
const NVCC = ['nvcc', '/usr/local/cuda/bin/nvcc'];

/** The races in our kernels. Those of the exchange are excused only where remote-mbarrier.cu shows that the tool is at fault. */
export async function racecheck(session) {
  const evidence = await remoteMbarriers(session).catch(({ message }) => ({
    holds: false,
    variants: [],
    faults: [`remote-mbarrier: ${message}`],
    text: 'remote mbarriers: no evidence, so nothing is excused',
  }));
  const checked = await sanitize(session, 'racecheck', 400, evidence.holds ? EXCHANGE : undefined);
  const exchange = { reports: checked.excused.length, hazards: hazardsOf(checked.excused) };
  const faults = [...evidence.faults, ...checked.faults];
  const text = [
    evidence.text,
    `exchange over a cluster (${EXCHANGE.write}, ${EXCHANGE.read}): ${exchange.reports} reports with ${exchange.hazards} hazards ${evidence.holds ? 'excused' : '(not excused)'}`,
    outcome({ ...checked, faults }),
  ].join('\n');
  const { foreignCount } = checked;
  return { ok: faults.length === 0, text, data: { evidence: evidence.variants, exchange, foreignCount } };
}

/**
 * Compiles remote-mbarrier.cu and runs both of its variants, by themselves and under racecheck.
 * @returns whether the tool reports the variant with mbarriers and not the other, whose accesses are the same
 */
async function remoteMbarriers(session) {
  const devices = await session.aloft(['devices', ...session.libraryFlags], 20);
  if (!/^cuda:0 .* sm_90a /m.test(devices)) {
    const text = 'remote mbarriers: not run, for only compute capability 9.0 has kernels that use them';
    return { holds: false, variants: [], faults: [], text };
  }
  const program = session.work('remote-mbarrier');
  const source = join(session.app, 'bench/cuda/remote-mbarrier.cu');
  const nvcc = session.find(NVCC);
  if (nvcc === undefined)
    throw new Error(`nvcc, which compiles it, is not there: neither of ${NVCC.join(' and ')} runs`);
  await session.runLine([nvcc, '-arch=sm_90a', '-lineinfo', '-o', program, source], 60);
  const variants = [];
  for (const variant of VARIANTS) variants.push(await checkVariant(session, program, variant));
  const [mbarrier, clusterBarrier] = variants;
  const faults = variants.flatMap((variant) => variant.faults.map((fault) => `${variant.name}: ${fault}`));
  if (clusterBarrier.reports > 0) faults.push('cluster-barrier: reported, though barrier.cluster orders it');
  const text = variants.map(
    ({ name, values, reports, hazards }) => `${values}; ${reports} reports with ${hazards} hazards (${name})`,
  );
  return {
    holds: faults.length === 0 && mbarrier.reports > 0,
    variants: variants.map(({ name, values, reports, hazards }) => ({ name, values, reports, hazards })),
    faults,
    text: `remote mbarriers, ${text.join(', ')}`,
  };
}

async function checkVariant(session, program, name) {
  const values = (await session.runLine([program, name], 30)).trim();
  const tool = ['compute-sanitizer', '--tool', 'racecheck', '--print-limit', '0'];
  const { excused, faults } = judgeReports(await session.runLine([...tool, program, name], 60), EVIDENCE);
  return { name, values, reports: excused.length, hazards: hazardsOf(excused), faults };
}
