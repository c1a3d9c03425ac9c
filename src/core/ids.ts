/** Branded numbers and strings, so that a block is never passed where a slot is meant. */
declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Names one request for its whole life; unique in the process. */
export type RequestId = Branded<string, 'RequestId'>;
/** Index of one block in the KV pool. */
export type BlockId = Branded<number, 'BlockId'>;
/** A row of the running batch: indexes per-sequence state on the device. */
export type SlotId = Branded<number, 'SlotId'>;
