/** The shared memory of ranks, kept equal on several hosts as far as ranks read it. */
import { type RankGroup } from '../../../device/cpu/rank-group.js';
import { RankMirror } from '../../../device/cpu/rank-mirror.js';
import type { RankMemory } from '../rank-memory.js';
import { HOST_MESSAGE, type HostMessage, type ReadHostMessage } from './host-message.js';

export interface MirrorPlace {
  /** Number of the engine's opening. */
  readonly session: number;
  /** Ranks of this host. */
  readonly localRanks: readonly number[];
  readonly rankCount: number;
  /** Sends a message to all other hosts, or to that of rank 0. */
  send(message: HostMessage, target: 'all' | 'leader'): void;
}

/** Counters wrap around at 32 bits. */
const isBehind = (seen: number, now: number): boolean => ((now - seen) | 0) > 0;
const next = (number: number): number => (number + 1) >>> 0;

/**
 * One host's side. A rank shows numbers in two buffers in turn, and uses one again when all ranks have shown theirs of the round
 * between; since those of other hosts arrive after this host's were sent, none is overwritten before.
 */
export class MemoryMirror {
  readonly #place: MirrorPlace;
  readonly #memory: RankMemory;
  readonly #mirror: RankMirror;
  readonly #group: RankGroup;
  /** Last round, and last echo, of each rank that the other hosts have. */
  readonly #rounds: number[];
  readonly #echoes: number[];
  #command = 0;
  /** Words of rank 0's message that are still to come. */
  #remaining = 0;
  #hasFailed = false;

  constructor(place: MirrorPlace, memory: RankMemory, group: RankGroup) {
    this.#place = place;
    this.#memory = memory;
    this.#group = group;
    this.#mirror = new RankMirror(group);
    this.#rounds = Array.from({ length: place.rankCount }, () => 0);
    this.#echoes = [...this.#rounds];
  }

  /** Sends what ranks of this host have shown. @returns whether there was anything */
  sendNews(): boolean {
    let isNews = false;
    const { localRanks } = this.#place;
    for (const rank of localRanks) {
      isNews = this.#sendPieces(rank) || isNews;
      // Only rank 0 reads echoes.
      if (!localRanks.includes(0)) isNews = this.#sendEcho(rank) || isNews;
    }
    if (localRanks.includes(0)) isNews = this.#sendCommand() || isNews;
    return this.#sendFailure() || isNews;
  }

  /** Shows this host's ranks what another host sent. */
  receive({ kind, numbers: [rank, number, exchange], bytes }: ReadHostMessage): void {
    switch (kind) {
      case HOST_MESSAGE.piece:
        return this.#mirror.arrive({ rank, round: number, exchange, bytes });
      case HOST_MESSAGE.command:
        this.#memory.message.set(wordsOf(bytes));
        return this.#group.command(number);
      case HOST_MESSAGE.echo:
        this.#memory.echoes[rank]!.set(wordsOf(bytes));
        return this.#mirror.echo(rank, number);
      case HOST_MESSAGE.failure:
        this.#memory.writeLastWords(rank, bytes);
        this.#hasFailed = true;
        return this.#mirror.fail(number);
    }
  }

  /** Notices ranks of this host that have ended or are stopped; to be called every 20 ms. */
  check(): void {
    this.#mirror.check();
  }

  #sendPieces(rank: number): boolean {
    const arrived = this.#mirror.arrived(rank);
    const isNews = isBehind(this.#rounds[rank]!, arrived);
    while (isBehind(this.#rounds[rank]!, arrived)) {
      const round = next(this.#rounds[rank]!);
      const { exchange, bytes } = this.#mirror.read(rank, round);
      this.#rounds[rank] = round;
      this.#send({ kind: HOST_MESSAGE.piece, numbers: [rank, round, exchange], bytes }, 'all');
    }
    return isNews;
  }

  #sendCommand(): boolean {
    if (!isBehind(this.#command, this.#mirror.commanded)) return false;
    this.#command = next(this.#command);
    const { message } = this.#memory;
    const length = this.#remaining > 0 ? this.#remaining : 1 + message[0]!;
    const piece = message.subarray(0, Math.min(length, message.length));
    this.#remaining = length - piece.length;
    this.#send({ kind: HOST_MESSAGE.command, numbers: [0, this.#command], bytes: bytesOf(piece) }, 'all');
    return true;
  }

  #sendEcho(rank: number): boolean {
    if (!isBehind(this.#echoes[rank]!, this.#mirror.echoed(rank))) return false;
    this.#echoes[rank] = next(this.#echoes[rank]!);
    const bytes = bytesOf(this.#memory.echoes[rank]!);
    this.#send({ kind: HOST_MESSAGE.echo, numbers: [rank, this.#echoes[rank]], bytes }, 'leader');
    return true;
  }

  #sendFailure(): boolean {
    const { failure } = this.#mirror;
    if (failure === 0 || this.#hasFailed) return false;
    this.#hasFailed = true;
    const rank = failure & 255;
    const bytes = this.#memory.lastWords(rank);
    this.#send({ kind: HOST_MESSAGE.failure, numbers: [rank, failure], bytes }, 'all');
    return true;
  }

  #send(message: HostMessage, target: 'all' | 'leader'): void {
    this.#place.send({ ...message, session: this.#place.session }, target);
  }
}

const bytesOf = (words: Int32Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
