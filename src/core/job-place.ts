/** Place of a process in a job of ranks that a launcher, such as mpirun, started on one host. */
export interface JobPlace {
  /** Name of the job, the same for all of its processes. */
  readonly job: string;
  readonly rank: number;
  readonly worldSize: number;
  /** Version of Aloft, which must be the same for all. */
  readonly version: string;
}
