/**
 * The one catalogue of errors. A message is one sentence that says what is wrong, where, and how to fix it.
 * Every code maps to a gRPC status, an HTTP status and a process exit code, and says whether a retry can help.
 */
import { editDistance } from './edit-distance.js';

/** gRPC status codes: https://grpc.io/docs/guides/status-codes/ */
export const GRPC = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

interface ErrorKind {
  readonly grpc: number;
  readonly http: number;
  /** Exit status of a command that ends with this error: 2 for a user's mistake, 1 otherwise. */
  readonly exit: 1 | 2;
  readonly retriable: boolean;
  readonly meaning: string;
}

const userMistake = (meaning: string): ErrorKind => ({
  grpc: GRPC.INVALID_ARGUMENT,
  http: 400,
  exit: 2,
  retriable: false,
  meaning,
});
const notFound = (meaning: string): ErrorKind => ({
  grpc: GRPC.NOT_FOUND,
  http: 404,
  exit: 2,
  retriable: false,
  meaning,
});
const busy = (meaning: string): ErrorKind => ({
  grpc: GRPC.RESOURCE_EXHAUSTED,
  http: 429,
  exit: 1,
  retriable: true,
  meaning,
});
const unavailable = (meaning: string): ErrorKind => ({
  grpc: GRPC.UNAVAILABLE,
  http: 503,
  exit: 1,
  retriable: true,
  meaning,
});

/** All codes. @internal */
export const ERROR_CATALOGUE = {
  // Command line and configuration
  USAGE: userMistake('A flag or argument is unknown, missing or out of range.'),
  CONFIG_INVALID: userMistake('A configuration file has an unknown key or a value out of range.'),
  OUTPUT_EXISTS: userMistake('The output directory is not empty.'),
  CHECK_FAILED: {
    grpc: GRPC.FAILED_PRECONDITION,
    http: 500,
    exit: 1,
    retriable: false,
    meaning: 'A command that checks something found faults; it has printed them.',
  },
  PACKAGE_MISSING: userMistake('A package that only this needs is not installed.'),
  FILE_UNREADABLE: userMistake('A file is there and cannot be read, mostly because this user may not.'),
  TOO_MANY_FILES: {
    ...unavailable('The process may have no more files open; raise its limit (ulimit -n).'),
    exit: 2,
  },
  OUTPUT_FAILED: { ...userMistake('A file of the output cannot be written.'), http: 507 },

  // Checkpoints
  CHECKPOINT_NOT_FOUND: notFound('A checkpoint directory or a file in it is missing.'),
  CHECKPOINT_CORRUPT: userMistake('A checkpoint file is truncated or malformed.'),
  CHECKPOINT_UNSAFE: userMistake('A pickle asks for something other than tensors; it was not executed.'),
  CHECKPOINT_CONFIG: userMistake('The config.json of a checkpoint lacks a field or has a wrong one.'),
  TENSOR_MISSING: userMistake('The checkpoint lacks a tensor that the architecture needs.'),
  TENSOR_MISMATCH: userMistake('A tensor has another shape or type than the architecture needs.'),
  ARCHITECTURE_UNKNOWN: userMistake('No model file for this architecture.'),
  TOKENIZER_NOT_FOUND: notFound('No tokenizer.json or tokenizer.model where one is needed.'),
  TOKENIZER_INVALID: userMistake('The tokenizer file cannot be read.'),
  SHARDING_IMPOSSIBLE: userMistake(
    'The number of ranks (tp_size) does not divide the heads or the layer sizes.',
  ),

  // Downloads
  HUB_UNREACHABLE: unavailable('The hub of models cannot be reached, is busy, or broke a download off.'),
  HUB_DENIED: {
    ...userMistake('The hub refuses a model or a token.'),
    grpc: GRPC.PERMISSION_DENIED,
    http: 403,
  },
  DOWNLOAD_CORRUPT: unavailable('A downloaded file does not match its checksum and was removed.'),

  // Engines
  ENGINE_NOT_FOUND: notFound('No engine in the directory.'),
  ENGINE_VERSION: userMistake('The engine was written by another format version; rebuild it.'),
  ENGINE_DEVICE: userMistake('The engine was built for another kind of device.'),
  ENGINE_CORRUPT: userMistake('An engine file does not match its checksum or is truncated.'),
  WORLD_SIZE_MISMATCH: userMistake('The engine needs another number of ranks than were started.'),

  // Devices
  DEVICE_UNAVAILABLE: {
    ...unavailable('The device or one of its libraries is not usable.'),
    exit: 2,
    retriable: false,
  },
  DEVICE_FAILED: {
    grpc: GRPC.INTERNAL,
    http: 500,
    exit: 1,
    retriable: false,
    meaning: 'A device call failed, or the device computed no finite result.',
  },
  COMPILER_MISSING: { ...unavailable('The CPU kernel library is not built.'), exit: 2, retriable: false },
  OUT_OF_MEMORY: {
    ...busy('Memory is not enough; the message has the bytes wanted and available.'),
    exit: 1,
  },

  // Requests
  REQUEST_INVALID: userMistake('A request field is missing, malformed or contradicts another.'),
  PROMPT_TOO_LONG: userMistake('The prompt is longer than the engine accepts.'),
  CONTEXT_LENGTH_EXCEEDED: userMistake(
    'The prompt and the output that was asked for are longer than a sequence can be.',
  ),
  REQUEST_TOO_LARGE: userMistake('The request can never fit into the KV cache or the length limits.'),
  BODY_TOO_LARGE: { ...userMistake('The body of a request is larger than its route takes.'), http: 413 },
  BODY_TOO_SLOW: {
    grpc: GRPC.DEADLINE_EXCEEDED,
    http: 408,
    exit: 1,
    retriable: true,
    meaning: 'The body of a request did not come in its time.',
  },
  QUEUE_FULL: busy('The waiting queue is full; retry later.'),
  QUEUE_TIMEOUT: unavailable('The request waited longer than its queue timeout.'),
  DEADLINE_EXCEEDED: {
    grpc: GRPC.DEADLINE_EXCEEDED,
    http: 504,
    exit: 1,
    retriable: true,
    meaning: 'The request did not end before its deadline.',
  },
  CANCELLED: {
    grpc: GRPC.CANCELLED,
    http: 499,
    exit: 1,
    retriable: false,
    meaning: 'The client cancelled the request.',
  },
  SLOW_READER: { ...busy('The client did not read its events fast enough.'), http: 408 },

  // Serving
  MODEL_NOT_FOUND: notFound('No such model or version.'),
  MODEL_UNAVAILABLE: unavailable('The model is loading, unloading or failed.'),
  MODEL_LOAD_FAILED: {
    grpc: GRPC.INTERNAL,
    http: 500,
    exit: 2,
    retriable: false,
    meaning: 'A model to load is not in the repository, or its directory or configuration has a fault.',
  },
  REPOSITORY_INVALID: userMistake(
    'A file of the model repository has a fault; the message names file and line.',
  ),
  RESPONSE_NOT_FOUND: notFound('No such stored response.'),
  REGION_NOT_FOUND: notFound('No such shared memory region.'),
  ROUTE_NOT_FOUND: notFound('No such route.'),
  UNSUPPORTED: {
    grpc: GRPC.UNIMPLEMENTED,
    http: 501,
    exit: 2,
    retriable: false,
    meaning: 'Known, but not supported here.',
  },
  UNAUTHENTICATED: {
    grpc: GRPC.UNAUTHENTICATED,
    http: 401,
    exit: 1,
    retriable: false,
    meaning: 'No valid API key.',
  },
  FORBIDDEN: {
    grpc: GRPC.PERMISSION_DENIED,
    http: 403,
    exit: 1,
    retriable: false,
    meaning: 'The caller, or the page that calls, has not the right.',
  },
  SERVER_BUSY: unavailable('Open requests hold as much as the server may hold.'),
  ADDRESS_IN_USE: { ...userMistake('A port is taken by another process.'), http: 500 },
  SERVER_UNREACHABLE: unavailable('A client cannot reach the server, or the connection broke.'),
  SHUTTING_DOWN: unavailable('The server is shutting down.'),

  // Faults of our own
  RANK_DIED: {
    grpc: GRPC.UNAVAILABLE,
    http: 503,
    exit: 1,
    retriable: true,
    meaning: 'A rank process ended.',
  },
  RANK_LATE: {
    grpc: GRPC.UNAVAILABLE,
    http: 503,
    exit: 1,
    retriable: true,
    meaning: 'A rank process is stopped, or did not answer in time.',
  },
  RANK_DIVERGED: {
    grpc: GRPC.INTERNAL,
    http: 500,
    exit: 1,
    retriable: false,
    meaning: 'A rank ran another step than rank 0, or exchanged something else.',
  },
  INTERNAL: {
    grpc: GRPC.INTERNAL,
    http: 500,
    exit: 1,
    retriable: false,
    meaning: 'An invariant is broken; please report it.',
  },
} as const satisfies Record<string, ErrorKind>;

/** Code of an error: docs/reference/errors.md lists all. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** Every error that Aloft raises on purpose. */
export class AloftError extends Error {
  /** `AloftError`. */
  override readonly name = 'AloftError';
  /** Code by which programs tell errors apart. */
  readonly code: ErrorCode;

  /** @param message One sentence: what is wrong, where, and how to fix it. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Statuses of gRPC, HTTP and processes, and whether a retry helps. */
  get kind(): ErrorKind {
    return ERROR_CATALOGUE[this.code];
  }
}

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERROR_CATALOGUE, text);
}

/** A plain form that crosses threads and processes. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Any thrown value as a report; what is not an {@link AloftError} is a fault of our own. */
export function reportError(thrown: unknown): ErrorReport {
  if (thrown instanceof AloftError) return { code: thrown.code, message: thrown.message };
  const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return { code: 'INTERNAL', message };
}

/** Stops on a broken invariant with its values. */
export function invariant(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw brokenInvariant(message());
}

/** The error of a broken invariant, for checks in which a closure a message would cost more than the check. */
export function brokenInvariant(message: string): AloftError {
  return new AloftError('INTERNAL', `Broken invariant: ${message}. Please report this.`);
}

/** The candidate nearest to `word` by edit distance, if near enough to be a likely typing mistake. */
export function suggestion(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    // Words differ by the difference of their lengths at least; a client may send one of a million letters.
    if (Math.abs(word.length - candidate.length) >= bestDistance) continue;
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
