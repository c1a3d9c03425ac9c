/** Parts that compare every kernel with the reference, plainly and under compute-sanitizer. */
import { join } from 'node:path';

/** Most of a check's time is the reference's, on one core. The race checker takes 30 GB of memory for each process. */
const SHARDS = { none: 5, memcheck: 5, racecheck: 3 };

/** The comparison of every kernel with the reference, in several processes. @returns what each of them printed */
async function compareAll(session, { before = [], limitSeconds, shardCount }) {
  const library = session.libraryPath === undefined ? [] : ['--library-path', session.libraryPath];
  const program = [process.execPath, join(session.app, 'dist/tools/cuda/measure.js'), '--only', 'check'];
  const shards = Array.from({ length: shardCount }, (_, i) => ['--shard', `${i + 1}/${shardCount}`]);
  const ends = await Promise.allSettled(
    shards.map((shard) => session.runLine([...before, ...program, ...library, ...shard], limitSeconds)),
  );
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}

const resultLines = (printed) => printed.split('\n').filter((line) => /^(pass|FAIL)/.test(line));

export async function conformance(session) {
  const printed = await compareAll(session, { limitSeconds: 100, shardCount: SHARDS.none });
  return printed.flatMap(resultLines).join('\n');
}

/** Kernels of the matrix library, whose own synchronisation the race checker does not follow. */
const FOREIGN_KERNEL = /\bat (nvjet|cutlass|cublas|sm\d+_xmma)/;

/** The comparison under a tool of compute-sanitizer. Reports in cuBLASLt's kernels are counted and do not fail it. */
async function sanitize(session, tool, limitSeconds) {
  const before = ['compute-sanitizer', '--tool', tool];
  const printed = await compareAll(session, { before, limitSeconds, shardCount: SHARDS[tool] });
  const reports = printed
    .flatMap((text) => text.split('\n'))
    .filter((line) => /^=+ (Error|Warning|Invalid|Race|Potential|Program hit)/.test(line));
  const ours = reports.filter((line) => !FOREIGN_KERNEL.test(line));
  if (ours.length > 0) throw new Error(ours.join('\n'));
  return `${printed.flatMap(resultLines).length} cases, nothing reported of our kernels, ${reports.length} reports of cuBLASLt's`;
}

export const memcheck = (session) => sanitize(session, 'memcheck', 200);
export const racecheck = (session) => sanitize(session, 'racecheck', 300);
