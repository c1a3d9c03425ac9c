/** The memory of a rank that the others of its host store into: regions, their states, and their descriptions for kernels. Pure. */

/** Most ranks whose kernels store into each other's memory. */
export const MAX_PEERS = 8;
/** Most rows of a sum in one shot. */
export const ONE_SHOT_ROWS = 128;
/** Rows that one launch gathers; a multiple of 4, so that each launch begins at 16 bytes. */
export const GATHER_ROWS = 16;
/** Vectors of 16 bytes that one launch sums in two shots: 8 MiB. */
export const TWO_SHOT_VECTORS = 1 << 19;

/** Buffers of a region, as in exchange.cuh. */
const BUFFERS = 3;
const VECTOR_BYTES = 16;
const STATE_BYTES = 16;
const TABLE_WORDS = 16;
const ALIGNMENT = 256;
/** The driver gives smaller allocations out in pieces of one that they share, of which handles cannot be told apart. */
const PAGE_BYTES = 2 << 20;
/** Sentinels of two values of 16 bits and of one of 32 (exchange.cuh). */
const HALVES = 0x80008000;
const WORDS = 0x80000000;

/** Words of a region's description in order, before the addresses of the region on all ranks; RegionWord in exchange.cuh. */
export const REGION_WORDS = ['rank', 'state', 'signals', 'slotVectors', 'deadlineNs'] as const;

export const REGION_NAMES = ['proof', 'tokens', 'oneShot', 'twoShot', 'gather'] as const;
export type RegionName = (typeof REGION_NAMES)[number];

/** Numbers that sizes follow from, the same on all ranks. */
export interface ExchangeShape {
  readonly worldSize: number;
  readonly hidden: number;
  /** Columns of a rank's part of the logits; 0 where none are gathered. */
  readonly gatherColumns: number;
  readonly maxLogits: number;
}

interface Region {
  readonly offset: number;
  readonly slots: number;
  /** Vectors that a slot has room for. */
  readonly slotVectors: number;
  /** Word of 32 bits that says that nothing is there. */
  readonly sentinel: number;
  readonly byteLength: number;
}

/** Where everything lies in the memory of a rank. */
export interface ExchangeLayout {
  readonly byteLength: number;
  readonly regions: Readonly<Record<RegionName, Region>>;
  /** State of a region, zero at first. */
  readonly stateOffset: (name: RegionName) => number;
  /** Description of a region for kernels. */
  readonly tableOffset: (name: RegionName) => number;
  /** Room for 2 * MAX_PEERS words of 32 bits, which the proof leaves. */
  readonly marksOffset: number;
}

export function exchangeLayout(shape: ExchangeShape): ExchangeLayout {
  const tables = REGION_NAMES.length * STATE_BYTES;
  const marksOffset = tables + REGION_NAMES.length * TABLE_WORDS * 8;
  let end = align(marksOffset + 2 * MAX_PEERS * 4, ALIGNMENT);
  const place = ([slots, slotVectors, sentinel]: readonly [number, number, number]): Region => {
    const region = {
      offset: end,
      slots,
      slotVectors,
      sentinel,
      byteLength: BUFFERS * slots * slotVectors * VECTOR_BYTES,
    };
    end = align(end + region.byteLength, ALIGNMENT);
    return region;
  };
  const sizes = sizesOf(shape);
  const regions = Object.fromEntries(REGION_NAMES.map((name) => [name, place(sizes[name])]));
  return {
    byteLength: align(end, PAGE_BYTES),
    regions: regions as Record<RegionName, Region>,
    stateOffset: (name) => REGION_NAMES.indexOf(name) * STATE_BYTES,
    tableOffset: (name) => tables + REGION_NAMES.indexOf(name) * TABLE_WORDS * 8,
    marksOffset,
  };
}

/** Slots of a buffer, vectors of a slot, sentinel. */
function sizesOf({ worldSize, hidden, gatherColumns, maxLogits }: ExchangeShape) {
  return {
    proof: [worldSize, 1, WORDS],
    tokens: [1, Math.ceil(maxLogits / 4), WORDS],
    oneShot: [worldSize, (ONE_SHOT_ROWS * hidden) / 8, HALVES],
    twoShot: [2 * worldSize, Math.ceil(TWO_SHOT_VECTORS / worldSize), HALVES],
    gather: [worldSize, (GATHER_ROWS * gatherColumns) / 4, WORDS],
  } as const satisfies Readonly<Record<RegionName, readonly [number, number, number]>>;
}

/** Place of a rank: the part of a description that sizes do not decide. */
export interface RegionPlace {
  readonly rank: number;
  /** Address of this rank's memory on its own device. */
  readonly own: number;
  /** Addresses of all ranks' memories for this rank's device, in order. */
  readonly peers: readonly number[];
  /** Address of two words of 32 bits in the host's memory (SignalWord in exchange.cuh). */
  readonly signals: number;
  readonly deadlineNs: number;
}

/** Description of a region for kernels. */
export function regionTable(
  layout: ExchangeLayout,
  name: RegionName,
  { rank, own, peers, signals, deadlineNs }: RegionPlace,
): BigUint64Array<ArrayBuffer> {
  const { offset, slotVectors } = layout.regions[name];
  const words = { rank, state: own + layout.stateOffset(name), signals, slotVectors, deadlineNs };
  const table = new BigUint64Array(new ArrayBuffer(8 * TABLE_WORDS));
  REGION_WORDS.forEach((word, index) => (table[index] = BigInt(words[word])));
  peers.forEach((base, index) => (table[REGION_WORDS.length + index] = BigInt(base + offset)));
  return table;
}

function align(bytes: number, multiple: number): number {
  return Math.ceil(bytes / multiple) * multiple;
}
