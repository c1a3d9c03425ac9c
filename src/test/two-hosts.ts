/** Commands on two hosts that are joined by TCP, as `scripts/two-hosts.sh` makes them of this machine, and their processes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/two-hosts.sh', import.meta.url));
const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
/** Variable by which the processes of a command are found on both hosts. */
const MARK = 'ALOFT_TEST_JOB';

/** Whether this machine can make hosts of itself. */
export function hasTwoHosts(): boolean {
  return (
    existsSync('/usr/bin/mpirun') && spawnSync(SCRIPT, ['-n', '1', 'true'], { stdio: 'ignore' }).status === 0
  );
}

/** Words of a test's name where it is skipped. */
export const HOSTS_NEED = '[needs root, network namespaces and Open MPI: apt-get install openmpi-bin]';

/** A process of a job. */
interface JobProcess {
  readonly pid: number;
  readonly rank: number;
  /** Whether it connects hosts, and is no rank. */
  readonly isBridge: boolean;
}

interface EndedJob {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command on the hosts. */
export class HostsJob {
  readonly ended: Promise<EndedJob>;
  readonly #child: ChildProcess;
  readonly #mark = `${process.pid}-${performance.now()}`;
  readonly #listeners: (() => void)[] = [];
  #out = '';
  #err = '';

  /** @param words for mpirun, without quotes or blanks in any of them */
  constructor(words: readonly string[]) {
    const child = spawn(SCRIPT, ['-x', `${MARK}=${this.#mark}`, '-x', 'CI=1', '-x', 'NO_COLOR=1', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => this.#take({ out: chunk.toString() }));
    child.stderr.on('data', (chunk: Buffer) => this.#take({ err: chunk.toString() }));
    this.ended = new Promise((resolve) =>
      child.once('close', (status) => resolve({ status, out: this.#out, err: this.#err })),
    );
  }

  #take({ out = '', err = '' }: { readonly out?: string; readonly err?: string }): void {
    this.#out += out;
    this.#err += err;
    for (const listener of this.#listeners) listener();
  }

  /** Everything so far that is no output. */
  get err(): string {
    return this.#err;
  }

  /** Resolves when the command has printed some text. */
  printed(text: string): Promise<void> {
    return new Promise((resolve) =>
      this.#listeners.push(() => (this.#out.includes(text) || this.#err.includes(text)) && resolve()),
    );
  }

  /** Ranks and bridges that run. */
  processes(): JobProcess[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        const [environment, words] = ['environ', 'cmdline'].map((file) => textOf(`/proc/${pid}/${file}`));
        const rank = /\0OMPI_COMM_WORLD_RANK=(\d+)/.exec(environment!)?.[1];
        if (rank === undefined || !environment!.includes(`${MARK}=${this.#mark}\0`)) return [];
        if (!words!.startsWith(process.execPath)) return [];
        return [{ pid: Number(pid), rank: Number(rank), isBridge: words!.includes('host-process.js') }];
      });
  }

  /** Ends mpirun, which waits for a host for a long time that does not answer. */
  end(): void {
    this.#child.kill('SIGTERM');
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}

/** `aloft` on so many ranks, on the hosts in turn. */
export function aloftOnHosts(rankCount: number, ...argv: readonly string[]): HostsJob {
  return new HostsJob(['-n', `${rankCount}`, '--map-by', 'node', process.execPath, ALOFT, ...argv]);
}
