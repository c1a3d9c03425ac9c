/** Messages between the processes that connect hosts: six numbers, and bytes behind them. */

/** Kinds, and the numbers that each has besides its session. */
export const HOST_MESSAGE = {
  /** Nothing: the sender lives. */
  alive: 0,
  /** A rank connects to a socket of rank 0: number of the connection, purpose. */
  open: 1,
  /** A line of a connection: its number. The bytes are its text. */
  line: 2,
  /** A connection has ended: its number. */
  close: 3,
  /** Numbers that a rank shows: rank, round, exchange. The bytes are the numbers. */
  piece: 4,
  /** A message of rank 0, or a piece of one: its number. The bytes are the words. */
  command: 5,
  /** A rank has done a message: rank, number of the message. The bytes are its echo. */
  echo: 6,
  /** The group has failed: rank, the failure. The bytes are the rank's last words. */
  failure: 7,
} as const;

type Kind = (typeof HOST_MESSAGE)[keyof typeof HOST_MESSAGE];

export interface HostMessage {
  readonly kind: Kind;
  /** Number of the engine's opening; 0 for messages that belong to none. */
  readonly session?: number;
  readonly numbers?: readonly number[];
  readonly bytes?: Uint8Array;
}

export interface ReadHostMessage {
  readonly kind: number;
  readonly session: number;
  readonly numbers: readonly [number, number, number];
  readonly bytes: Uint8Array;
}

const NUMBER_COUNT = 5;
const HEADER_BYTES = 8 * NUMBER_COUNT;
/** Pieces and messages have 256 KiB at most, lines some hundred bytes. */
export const MAX_HOST_MESSAGE_BYTES = HEADER_BYTES + (256 << 10);

export function encodeHostMessage({ kind, session = 0, numbers = [], bytes }: HostMessage): Uint8Array {
  const message = new Uint8Array(new ArrayBuffer(HEADER_BYTES + (bytes?.length ?? 0)));
  new Float64Array(message.buffer, 0, NUMBER_COUNT).set([kind, session, ...numbers]);
  if (bytes !== undefined) message.set(bytes, HEADER_BYTES);
  return message;
}

export function decodeHostMessage(message: Uint8Array): ReadHostMessage {
  const header = new Float64Array(message.buffer, message.byteOffset, NUMBER_COUNT);
  const [kind = 0, session = 0, first = 0, second = 0, third = 0] = header;
  return { kind, session, numbers: [first, second, third], bytes: message.subarray(HEADER_BYTES) };
}
