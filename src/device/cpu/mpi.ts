/**
 * Open MPI, 4 or 5: messages between hosts. A process joins once; all processes of the job must join, and all must leave.
 * Open MPI ends a process that loses a connection, so only processes use it that the others notice the end of.
 */
import { AloftError } from '../../core/errors.js';
import { type NativeFunction, openLibrary } from '../../ffi/library.js';
import { addressOf } from '../../ffi/memory.js';

const LIBRARY = 'libmpi.so.40';

/** mpi.h: numbers, the same in 4 and 5. */
const THREAD_SINGLE = 0;
const SUCCESS = 0;
const SHARED_MEMORY = 0;
const ANY_SOURCE = -1;
const TAG = 0;
/** Struct MPI_Status: the sender comes first. */
const STATUS_BYTES = 64;

const PROTOTYPES = {
  Init_thread: '(uint64_t argc, uint64_t argv, int required, uint64_t provided)',
  Finalize: '()',
  Comm_rank: '(uint64_t comm, uint64_t rank)',
  Comm_size: '(uint64_t comm, uint64_t size)',
  Comm_split_type: '(uint64_t comm, int type, int key, uint64_t info, uint64_t result)',
  Allreduce: '(uint64_t from, uint64_t to, int count, uint64_t type, uint64_t operation, uint64_t comm)',
  Allgather:
    '(uint64_t from, int fromCount, uint64_t fromType, uint64_t to, int toCount, uint64_t toType, uint64_t comm)',
  Isend: '(uint64_t from, int count, uint64_t type, int target, int tag, uint64_t comm, uint64_t request)',
  Irecv: '(uint64_t to, int count, uint64_t type, int source, int tag, uint64_t comm, uint64_t request)',
  Test: '(uint64_t request, uint64_t flag, uint64_t status)',
  Wait: '(uint64_t request, uint64_t status)',
  Cancel: '(uint64_t request)',
  Get_count: '(uint64_t status, uint64_t type, uint64_t count)',
} as const;

type CallName = keyof typeof PROTOTYPES;

/** A message that is on its way; its bytes stay until it has left. */
interface OpenSend {
  readonly bytes: Uint8Array;
  readonly request: DataView;
}

export interface MpiMessage {
  readonly source: number;
  readonly bytes: Uint8Array;
}

/** Processes of a job. Messages between two of them arrive in order. */
export class MpiJob {
  readonly rank: number;
  readonly size: number;
  /** For each process, the first one of its host. */
  readonly hosts: readonly number[];
  readonly #call: (name: CallName, ...args: unknown[]) => void;
  readonly #symbols: ReturnType<typeof symbolsOf>;
  readonly #numbers = new Int32Array(new ArrayBuffer(16));
  readonly #status = new Int32Array(new ArrayBuffer(STATUS_BYTES));
  readonly #incoming: Uint8Array;
  readonly #receive = new DataView(new ArrayBuffer(8));
  readonly #sends: OpenSend[] = [];

  /**
   * Returns when all processes of the job have joined.
   * @param maxMessageBytes of any message @throws {AloftError} DEVICE_UNAVAILABLE when Open MPI is not installed
   */
  constructor(maxMessageBytes: number) {
    const library = openMpi();
    const functions = Object.fromEntries(
      Object.entries(PROTOTYPES).map(([name, parameters]) => [
        name,
        library.bind(`int MPI_${name}${parameters}`),
      ]),
    ) as Record<CallName, NativeFunction>;
    this.#call = (name, ...args) => {
      const status = Number(functions[name](...args));
      if (status !== SUCCESS) throw new AloftError('DEVICE_FAILED', `MPI_${name} failed with ${status}.`);
    };
    this.#symbols = symbolsOf(library);
    this.#call('Init_thread', 0, 0, THREAD_SINGLE, this.#numberAt(0));
    this.rank = this.#ask('Comm_rank');
    this.size = this.#ask('Comm_size');
    this.hosts = this.#findHosts();
    this.#incoming = new Uint8Array(new ArrayBuffer(maxMessageBytes));
    this.#awaitNext();
  }

  /** Sends a message to another process. Its bytes belong to this object from now on. */
  send(target: number, bytes: Uint8Array): void {
    if (bytes.length > this.#incoming.length)
      throw new AloftError('INTERNAL', `a message of ${bytes.length} bytes for ${this.#incoming.length}`);
    const { byte, world } = this.#symbols;
    const request = new DataView(new ArrayBuffer(8));
    const where = addressOf(request);
    this.#call('Isend', addressOf(bytes), bytes.length, byte, target, TAG, world, where);
    this.#sends.push({ bytes, request });
  }

  /** Lets messages move. @returns one that has come, if any */
  poll(): MpiMessage | undefined {
    while (this.#sends.length > 0 && this.#isDone(this.#sends[0]!.request)) this.#sends.shift();
    if (!this.#isDone(this.#receive)) return undefined;
    this.#call('Get_count', addressOf(this.#status), this.#symbols.byte, this.#numberAt(0));
    const bytes = this.#incoming.slice(0, this.#numbers[0]);
    const source = this.#status[0]!;
    this.#awaitNext();
    return { source, bytes };
  }

  /** Whether messages have not left yet. */
  get isSending(): boolean {
    return this.#sends.length > 0;
  }

  /** Returns when all processes of the job leave. */
  leave(): void {
    this.#call('Cancel', addressOf(this.#receive));
    this.#call('Wait', addressOf(this.#receive), 0);
    this.#call('Finalize');
  }

  #awaitNext(): void {
    const { byte, world } = this.#symbols;
    const to = addressOf(this.#incoming);
    this.#call('Irecv', to, this.#incoming.length, byte, ANY_SOURCE, TAG, world, addressOf(this.#receive));
  }

  #isDone(request: DataView): boolean {
    this.#call('Test', addressOf(request), this.#numberAt(0), addressOf(this.#status));
    return this.#numbers[0] !== 0;
  }

  #findHosts(): readonly number[] {
    const { world, int, noInfo, min } = this.#symbols;
    const host = new DataView(new ArrayBuffer(8));
    this.#call('Comm_split_type', world, SHARED_MEMORY, this.rank, noInfo, addressOf(host));
    this.#numbers[0] = this.rank;
    const comm = Number(host.getBigUint64(0, true));
    this.#call('Allreduce', this.#numberAt(0), this.#numberAt(1), 1, int, min, comm);
    const all = new Int32Array(new ArrayBuffer(4 * this.size));
    this.#call('Allgather', this.#numberAt(1), 1, int, addressOf(all), 1, int, world);
    return [...all];
  }

  #ask(name: 'Comm_rank' | 'Comm_size'): number {
    this.#call(name, this.#symbols.world, this.#numberAt(0));
    return this.#numbers[0]!;
  }

  #numberAt(index: number): number {
    return addressOf(this.#numbers) + 4 * index;
  }
}

/** @throws {AloftError} DEVICE_UNAVAILABLE */
function openMpi(): ReturnType<typeof openLibrary> {
  try {
    return openLibrary(LIBRARY, { global: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      `Ranks on several hosts need Open MPI on each, and a host has no ${LIBRARY}; install it there (Debian: 'apt-get install openmpi-bin'). ${reason}`,
      { cause },
    );
  }
}

/** Handles of Open MPI are addresses of its variables. */
function symbolsOf(library: ReturnType<typeof openLibrary>) {
  return {
    world: library.address('ompi_mpi_comm_world'),
    byte: library.address('ompi_mpi_byte'),
    int: library.address('ompi_mpi_int'),
    min: library.address('ompi_mpi_op_min'),
    noInfo: library.address('ompi_mpi_info_null'),
  };
}
