/** The place of this process in a job, from the variables that launchers set. */
import { AloftError } from '../../core/errors.js';
import type { JobPlace } from '../../core/job-place.js';
import { packageVersion } from './package-version.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns undefined for a process that no launcher started, or that is alone @throws {AloftError} UNSUPPORTED for several hosts */
export function jobPlace(environment: Environment): JobPlace | undefined {
  const worldSize = Number(environment['OMPI_COMM_WORLD_SIZE'] ?? 1);
  const job = environment['PMIX_NAMESPACE'];
  if (worldSize <= 1 || job === undefined) return undefined;
  const localSize = Number(environment['OMPI_COMM_WORLD_LOCAL_SIZE'] ?? worldSize);
  if (localSize !== worldSize)
    throw new AloftError(
      'UNSUPPORTED',
      `mpirun started ${worldSize} ranks, ${localSize} of them on this host, but ranks run on one host; leave --host out, or name one.`,
    );
  const rank = Number(environment['OMPI_COMM_WORLD_RANK']);
  return { job, rank, worldSize, version: packageVersion() };
}
