/** Card that a rank shows the others of its host before they connect: its GPU, and the memory that they store into. */
import { AloftError } from '../../../core/errors.js';
import { MEMORY_HANDLE_BYTES } from '../../../device/cuda/peer-memory.js';

export interface RankCard {
  readonly uuid: string;
  /** Bytes of the memory, for comparison. */
  readonly byteLength: number;
  /** Handle of the memory. Undefined: the system gives none. */
  readonly handle: Uint8Array | undefined;
}

const UUID_BYTES = 48;
const CARD_BYTES = UUID_BYTES + 16 + MEMORY_HANDLE_BYTES;

export function encodeCard({ uuid, byteLength, handle }: RankCard): Uint8Array {
  const bytes = new Uint8Array(CARD_BYTES);
  new TextEncoder().encodeInto(uuid, bytes.subarray(0, UUID_BYTES));
  const view = new DataView(bytes.buffer);
  view.setFloat64(UUID_BYTES, byteLength, true);
  view.setFloat64(UUID_BYTES + 8, handle === undefined ? 0 : 1, true);
  if (handle !== undefined) bytes.set(handle, UUID_BYTES + 16);
  return bytes;
}

export function decodeCard(bytes: Uint8Array): RankCard {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasHandle = view.getFloat64(UUID_BYTES + 8, true) === 1;
  return {
    uuid: new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))),
    byteLength: view.getFloat64(UUID_BYTES, true),
    handle: hasHandle ? bytes.slice(UUID_BYTES + 16) : undefined,
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
