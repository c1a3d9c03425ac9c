/** Entry of the process that every rank of a job over several hosts starts: it joins Open MPI, and one of each host is the bridge. */
import { reportError } from '../../../core/errors.js';
import { MpiJob } from '../../../device/cpu/mpi.js';
import { endWithParent, outliveParent } from '../../../ffi/parent.js';
import { takeAllCores } from '../../../ffi/scheduling.js';
import { checkJob, HostBridge } from './host-bridge.js';
import { MAX_HOST_MESSAGE_BYTES } from './host-message.js';
import type { FromHostProcess, JoinJob, ToHostProcess } from './join-hosts.js';

/** Time for the end of a rank to reach the other hosts, ms. */
const LAST_WORDS_MS = 200;

const send = (message: FromHostProcess) =>
  new Promise<void>((resolve) => process.send?.(message, undefined, {}, () => resolve()));

// A launcher ends a job by signals to all processes; this one still has to say so to the other hosts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

async function join({ place, parentPid }: JoinJob): Promise<void> {
  if (!endWithParent(parentPid)) process.exit(1); // Open MPI waits without an end for processes that never come
  takeAllCores();
  const mpi = new MpiJob(MAX_HOST_MESSAGE_BYTES);
  checkJob(mpi, place);
  outliveParent();
  const bridge = mpi.hosts[mpi.rank] === mpi.rank ? new HostBridge(mpi, place) : undefined;
  process.once('disconnect', () => void endAlone(bridge));
  process.on('message', ({ type }: ToHostProcess) => {
    if (type === 'suspect') bridge?.suspect();
    if (type === 'leave') void leave(mpi, bridge, parentPid);
  });
  await send({ type: 'joined' });
  if (bridge !== undefined && (await bridge.run()) === 'lost') process.exit(1);
}

/** All processes of the job do this. */
async function leave(mpi: MpiJob, bridge: HostBridge | undefined, parentPid: number): Promise<void> {
  await bridge?.close();
  endWithParent(parentPid);
  mpi.leave();
  process.exit(0);
}

/** The rank that started this process has ended otherwise. */
async function endAlone(bridge: HostBridge | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
  await bridge?.close();
  process.exit(1);
}

process.once('message', (message: JoinJob) => {
  join(message).catch(async (thrown: unknown) => {
    await send({ type: 'failed', error: reportError(thrown) });
    process.exit(1);
  });
});
