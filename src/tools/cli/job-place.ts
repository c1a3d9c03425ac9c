/** The place of this process in a job, from the variables that launchers set. */
import { AloftError } from '../../core/errors.js';
import type { JobPlace } from '../../core/job-place.js';
import { packageVersion } from './package-version.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of one kind of launcher. */
interface Launcher {
  readonly name: string;
  readonly rank: string;
  readonly worldSize: string;
  /** Variables that together name the job, the same in all of its processes and in those of no other job at the time. */
  readonly job: readonly string[];
  /** Number of ranks on this host; absent where the launcher gives a number of hosts. */
  readonly localSize?: string;
  readonly hostCount?: string;
  /** Place among the ranks of this host; absent where processes on several hosts would not find each other, for want of MPI. */
  readonly localRank?: string;
}

/** Launchers in the order in which they are asked: mpirun under Slurm sets the variables of both, and means its own. */
const LAUNCHERS: readonly Launcher[] = [
  {
    name: 'mpirun', // Open MPI 4 and 5
    rank: 'OMPI_COMM_WORLD_RANK',
    worldSize: 'OMPI_COMM_WORLD_SIZE',
    job: ['PMIX_NAMESPACE'],
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
  },
  {
    name: 'torchrun',
    rank: 'RANK',
    worldSize: 'WORLD_SIZE',
    job: ['MASTER_ADDR', 'MASTER_PORT'],
    localSize: 'LOCAL_WORLD_SIZE',
  },
  {
    name: 'srun',
    rank: 'SLURM_PROCID',
    worldSize: 'SLURM_STEP_NUM_TASKS', // of the step; a batch script is one process, whatever its job has
    job: ['SLURM_JOB_ID', 'SLURM_STEP_ID'],
    hostCount: 'SLURM_STEP_NUM_NODES',
  },
];

/**
 * @returns undefined for a process that no launcher started, or that is alone
 * @throws {AloftError} USAGE for variables that contradict each other, UNSUPPORTED for several hosts without MPI
 */
export function jobPlace(environment: Environment): JobPlace | undefined {
  const launcher = LAUNCHERS.find((one) => isSetBy(environment, one));
  if (launcher === undefined) return undefined;
  const worldSize = numberOf(environment, launcher, launcher.worldSize);
  const rank = numberOf(environment, launcher, launcher.rank);
  if (rank >= worldSize)
    throw new AloftError(
      'USAGE',
      `${launcher.name} set ${launcher.rank} to ${rank} and ${launcher.worldSize} to ${worldSize}, but ranks count from 0; correct or unset them.`,
    );
  const job = [launcher.name, ...launcher.job.map((name) => environment[name])].join('-');
  const local = localPlace(environment, launcher, { rank, worldSize });
  return { job, rank, worldSize, ...local, version: packageVersion() };
}

/** Whether a launcher has started this process as one of several. */
function isSetBy(environment: Environment, { worldSize, job }: Launcher): boolean {
  return (
    job.every((name) => environment[name] !== undefined) &&
    ![undefined, '0', '1'].includes(environment[worldSize])
  );
}

/** @throws {AloftError} USAGE */
function numberOf(environment: Environment, { name }: Launcher, variable: string): number {
  const text = environment[variable];
  if (text !== undefined && /^\d{1,6}$/.test(text)) return Number(text);
  throw new AloftError(
    'USAGE',
    `${name} set ${variable} to ${text === undefined ? 'nothing' : `'${text}'`}, and a whole number is needed; correct it, or unset the launcher's variables.`,
  );
}

/** Place among the ranks of this host. @throws {AloftError} USAGE, UNSUPPORTED */
function localPlace(
  environment: Environment,
  launcher: Launcher,
  { rank, worldSize }: Pick<JobPlace, 'rank' | 'worldSize'>,
): Pick<JobPlace, 'localRank' | 'localSize'> {
  const { name, localRank, localSize, hostCount } = launcher;
  const isOneHost =
    localSize === undefined
      ? Number(environment[hostCount!] ?? 1) === 1
      : Number(environment[localSize] ?? worldSize) === worldSize;
  if (isOneHost) return { localRank: rank, localSize: worldSize };
  if (localRank !== undefined && localSize !== undefined)
    return {
      localRank: numberOf(environment, launcher, localRank),
      localSize: numberOf(environment, launcher, localSize),
    };
  throw new AloftError(
    'UNSUPPORTED',
    `${name} started ${worldSize} ranks on several hosts, which find each other by Open MPI alone; start them with mpirun, or name one host.`,
  );
}
