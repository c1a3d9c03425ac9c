/** Place of a process in a job of ranks that a launcher, such as mpirun, started. */
export interface JobPlace {
  /** Name of the job, the same for all of its processes. */
  readonly job: string;
  readonly rank: number;
  readonly worldSize: number;
  /** Place among the ranks of this host, and their number. */
  readonly localRank: number;
  readonly localSize: number;
  /** Version of Aloft, which must be the same for all. */
  readonly version: string;
}

/** Whether the ranks of a job are on several hosts. */
export function isOverHosts({ worldSize, localSize }: JobPlace): boolean {
  return localSize < worldSize;
}
