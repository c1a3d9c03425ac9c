/** Fields of a step's descriptor, in order: what kernels read about a step, as 32-bit integers. */
export const DESCRIPTOR_FIELDS = [
  'itemCount',
  'tokenIds',
  'positions',
  'tokenRows',
  'rowOffsets',
  'rowSlots',
  'contextLengths',
  'logitTokens',
  'logitRows',
  'logitTargets',
  'logitMasks',
  'decodeItems',
  'prefillTiles',
  'keyTiles',
  'firstKeyTiles',
  'blockTables',
] as const;
export type DescriptorField = (typeof DESCRIPTOR_FIELDS)[number];
