/** Card that a rank shows the others before they connect: its host, its GPU, and the memory that they store into. */
import { AloftError } from '../../../core/errors.js';
import { MEMORY_HANDLE_BYTES } from '../../../device/cuda/peer-memory.js';

export interface RankCard {
  /** Name of the host; a long one is cut. */
  readonly host: string;
  readonly uuid: string;
  /** Bytes of the memory, for comparison. */
  readonly byteLength: number;
  /** Handle of the memory. Undefined: the system gives none. */
  readonly handle: Uint8Array | undefined;
}

const UUID_BYTES = 48;
const HOST_BYTES = 72;
const NUMBERS_AT = UUID_BYTES + HOST_BYTES;
const CARD_BYTES = NUMBERS_AT + 16 + MEMORY_HANDLE_BYTES;

export function encodeCard({ host, uuid, byteLength, handle }: RankCard): Uint8Array {
  const bytes = new Uint8Array(CARD_BYTES);
  const view = new DataView(bytes.buffer);
  const encoder = new TextEncoder();
  encoder.encodeInto(uuid, bytes.subarray(0, UUID_BYTES));
  encoder.encodeInto(host, bytes.subarray(UUID_BYTES, NUMBERS_AT - 1));
  view.setFloat64(NUMBERS_AT, byteLength, true);
  view.setFloat64(NUMBERS_AT + 8, handle === undefined ? 0 : 1, true);
  if (handle !== undefined) bytes.set(handle, NUMBERS_AT + 16);
  return bytes;
}

export function decodeCard(bytes: Uint8Array): RankCard {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasHandle = view.getFloat64(NUMBERS_AT + 8, true) === 1;
  const textAt = (at: number): string => new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
  return {
    host: textAt(UUID_BYTES),
    uuid: textAt(0),
    byteLength: view.getFloat64(NUMBERS_AT, true),
    handle: hasHandle ? bytes.slice(NUMBERS_AT + 16) : undefined,
  };
}

/**
 * Refuses ranks that do not fit together; every rank finds the same fault.
 * @throws {AloftError} DEVICE_UNAVAILABLE for two ranks on one GPU, RANK_DIVERGED for different sizes
 */
export function checkCards(cards: readonly RankCard[], mayShareGpu: boolean): void {
  const odd = cards.findIndex(({ byteLength }) => byteLength !== cards[0]!.byteLength);
  if (odd > 0)
    throw new AloftError(
      'RANK_DIVERGED',
      `Rank ${odd} has other sizes than rank 0; start all ranks from one engine, with the same options and one version of Aloft.`,
    );
  if (mayShareGpu) return;
  for (const [rank, { uuid }] of cards.entries()) {
    const first = cards.findIndex((card) => card.uuid === uuid);
    if (first < rank)
      throw new AloftError(
        'DEVICE_UNAVAILABLE',
        `Ranks ${first} and ${rank} are on the same GPU (${uuid}); give each rank one of its own, or allow it with --share_gpu, which is slow and for checks.`,
      );
  }
}
