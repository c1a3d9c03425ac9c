/** Element types of the KServe v2 protocol: https://github.com/kserve/open-inference-protocol */
const DATATYPES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
  'BF16',
] as const;
export type Datatype = (typeof DATATYPES)[number];

/** Bytes of one element; BYTES elements have no fixed size. */
export const ELEMENT_BYTES: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
  BF16: 2,
};

const KNOWN: ReadonlySet<string> = new Set(DATATYPES);

export function isDatatype(name: string): name is Datatype {
  return KNOWN.has(name);
}
