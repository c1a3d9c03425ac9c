/** The memory that ranks of one host share: their group, the message at hand, what each rank did last, and its last words. */
import { openSync } from 'node:fs';
import { rankGroupBytes } from '../../device/cpu/rank-group.js';
import { type ErrorReport, isErrorCode } from '../../core/errors.js';
import { createSharedMemory, openSharedMemory, type SharedMemory } from '../../ffi/shared-memory.js';

const PAGE_BYTES = 4096;
const MESSAGE_BYTES = 256 << 10;
const REPORT_BYTES = PAGE_BYTES;
const ECHO_BYTES = 64;

/** Views of the shared memory. None may be used after `dispose`. */
export interface RankMemory {
  readonly descriptor: number;
  /** Address of the group's part. */
  readonly groupAddress: number;
  /** Part of a message that is sent at a time. */
  readonly message: Int32Array;
  /** Step that a rank ran last. */
  readonly echoes: readonly Int32Array[];
  /** Text of a rank's report, as another host's memory takes it. */
  lastWords(rank: number): Uint8Array;
  writeLastWords(rank: number, text: Uint8Array): void;
  /** Stores why a rank ends. */
  writeReport(rank: number, report: ErrorReport): void;
  /** Why a rank ended, if it could still say so. */
  readReport(rank: number): ErrorReport | undefined;
  dispose(): void;
}

/** Memory for ranks that inherit its descriptor. @throws {AloftError} OUT_OF_MEMORY, COMPILER_MISSING */
export function createRankMemory(rankCount: number): RankMemory {
  return viewsOf(createSharedMemory('aloft-ranks', offsetsOf(rankCount).totalBytes), rankCount);
}

/** @param path of the memory in the system's list of a process's files @throws {AloftError} OUT_OF_MEMORY, COMPILER_MISSING */
export function joinRankMemory(path: string, rankCount: number): RankMemory {
  return viewsOf(openSharedMemory(openSync(path, 'r+'), offsetsOf(rankCount).totalBytes), rankCount);
}

function offsetsOf(rankCount: number) {
  const message = Math.ceil(rankGroupBytes(rankCount) / PAGE_BYTES) * PAGE_BYTES;
  const reports = message + MESSAGE_BYTES;
  const echoes = reports + rankCount * REPORT_BYTES;
  return { message, reports, echoes, totalBytes: echoes + rankCount * ECHO_BYTES };
}

function viewsOf(shared: SharedMemory, rankCount: number): RankMemory {
  const { area, descriptor } = shared;
  const offsets = offsetsOf(rankCount);
  const ints = (offset: number, byteLength: number): Int32Array => {
    const bytes = area.bytes(offset, byteLength);
    return new Int32Array(bytes.buffer, bytes.byteOffset, byteLength / 4);
  };
  const report = (rank: number): Uint8Array =>
    area.bytes(offsets.reports + rank * REPORT_BYTES, REPORT_BYTES);
  const lastWords = (rank: number): Uint8Array => {
    const bytes = report(rank);
    return bytes.slice(0, bytes.indexOf(0));
  };
  return {
    descriptor,
    groupAddress: area.address,
    message: ints(offsets.message, MESSAGE_BYTES),
    echoes: Array.from({ length: rankCount }, (_, rank) =>
      ints(offsets.echoes + rank * ECHO_BYTES, ECHO_BYTES),
    ),
    writeReport(rank, { code, message }) {
      new TextEncoder().encodeInto(`${code} ${message}`, report(rank).subarray(0, -1));
    },
    lastWords,
    writeLastWords: (rank, text) => report(rank).set(text),
    readReport(rank) {
      const text = Buffer.from(lastWords(rank)).toString('utf8');
      const [code] = text.split(' ', 1);
      return isErrorCode(code) ? { code, message: text.slice(code.length + 1) } : undefined;
    },
    dispose: () => shared.dispose(),
  };
}
