/** Engines whose checksums are right and whose plan, tensors or sizes lie. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checksum } from '../engine/checksum.js';
import { DATA_ALIGNMENT_BYTES } from '../engine/format.js';

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

interface LyingWeight {
  shape: number[];
  format: Record<string, unknown>;
}

interface LyingPlan {
  rank: number;
  worldSize: number;
  kvDtype: unknown;
  logits: string;
  dims: Record<string, number>;
  ops: Record<string, unknown>[];
  weights: Record<string, LyingWeight>;
}

/** Parts of an engine that a lie may change. */
interface EngineParts {
  readonly tensors: Record<string, Entry>;
  readonly plan: LyingPlan;
  readonly config: Record<string, Record<string, unknown>>;
}

const opOf = ({ plan }: EngineParts, kind: string): Record<string, unknown> =>
  plan.ops.find((op) => op['kind'] === kind)!;

const tableOf = (parts: EngineParts): string => String(opOf(parts, 'embedding')['table']);

/** A tensor that is as large as before, under another type or shape. */
const linearOf = ({ tensors }: EngineParts): Entry =>
  Object.entries(tensors).find(([name, { shape }]) => /layers|blocks/.test(name) && shape.length > 1)![1];

type Lie = (parts: EngineParts) => void;

const dim =
  (name: string, value: number): Lie =>
  ({ plan }) => {
    plan.dims[name] = value;
  };

/** Lies by name. */
export const LIES: Readonly<Record<string, Lie>> = {
  'a plan of more vocabulary than its table': dim('vocabulary', 2 ** 17),
  'a plan of far more vocabulary': dim('vocabulary', 2 ** 24),
  'a vocabulary of no integer': dim('vocabulary', 512.5),
  'heads of another size': dim('headDim', 1024),
  'more heads': dim('headCount', 64),
  'no heads': dim('kvHeadCount', 0),
  'a negative size': dim('hidden', -64),
  'a size beyond all memory': dim('intermediate', 2 ** 53),
  'a hundred layers': dim('layerCount', 100),
  'half a layer': (parts) => {
    opOf(parts, 'pagedAttention')['layer'] = 0.5;
  },
  'a layer that is not there': (parts) => {
    opOf(parts, 'ropeAppend')['layer'] = 77;
  },
  'a table of one row': (parts) => {
    const table = tableOf(parts);
    parts.plan.weights[table]!.shape = [1, parts.plan.weights[table]!.shape[1]!];
  },
  'a linear of more outputs': (parts) => {
    const weight = parts.plan.weights[String(opOf(parts, 'linear')['weight'])]!;
    weight.shape = [weight.shape[0]! * 8, weight.shape[1]!];
  },
  'a weight of another format': ({ plan }) => {
    for (const weight of Object.values(plan.weights))
      if (weight.shape.length > 1) weight.format = { type: 'dense', dtype: 'f32' };
  },
  'a weight of an unknown format': ({ plan }) => {
    for (const weight of Object.values(plan.weights)) weight.format = { type: 'ternary' };
  },
  'a tensor of another type': (parts) => {
    const tensor = linearOf(parts);
    tensor.dtype = 'I8';
    tensor.shape = [...tensor.shape.slice(0, -1), tensor.shape.at(-1)! * 2];
  },
  'a tensor of another shape': (parts) => {
    const tensor = linearOf(parts);
    tensor.shape = [tensor.shape.reduce((product, size) => product * size, 1)];
  },
  'two names of one tensor': ({ tensors }) => {
    const [first, second] = Object.values(tensors).filter(({ shape }) => shape.length > 1);
    second!.data_offsets = [...first!.data_offsets];
    second!.shape = [...first!.shape];
    second!.dtype = first!.dtype;
  },
  'a tensor that is not there': ({ tensors }) => {
    const [name, entry] = Object.entries(tensors).find(([, { shape }]) => shape.length > 1)!;
    delete tensors[name];
    tensors[`${name}x`] = entry;
  },
  'an op of no kind': ({ plan }) => {
    plan.ops[1] = { ...plan.ops[1], kind: 'constructor' };
  },
  'ops that are no list': ({ plan }) => {
    Object.assign(plan, { ops: { length: 3 } });
  },
  'no ops': ({ plan }) => {
    plan.ops = [];
  },
  'logits that nobody computes': ({ plan }) => {
    plan.logits = 'nothing';
  },
  'a cache of an unknown type': ({ plan }) => {
    plan.kvDtype = 'f64';
  },
  'a plan of another rank': ({ plan }) => {
    plan.rank = 1;
  },
  'collectives of one rank': ({ plan }) => {
    plan.ops.splice(2, 0, { kind: 'allReduce', x: String(plan.ops[0]!['out']) });
  },
  'a file outside of the directory': ({ config }) => {
    const [rank] = config['aloft']!['ranks'] as Record<string, unknown>[];
    rank!['file'] = '../other.engine';
  },
  'the directory as its file': ({ config }) => {
    const [rank] = config['aloft']!['ranks'] as Record<string, unknown>[];
    rank!['file'] = '..';
  },
};

/** Changes an engine of one rank in place, and makes its checksums right again. */
export function lieIn(directory: string, lie: Lie): void {
  const configPath = join(directory, 'config.json');
  const config = JSON.parse(readFileSync(configPath, 'utf8')) as EngineParts['config'];
  const [rank] = config['aloft']!['ranks'] as Record<string, unknown>[];
  const path = join(directory, String(rank!['file']));
  const bytes = readFileSync(path);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, headerEnd).toString()) as Record<string, unknown>;
  const { __metadata__: metadata, ...tensors } = header as { __metadata__: Record<string, string> } & Record<
    string,
    unknown
  >;
  const parts = {
    tensors: tensors as Record<string, Entry>,
    plan: JSON.parse(metadata['plan']!) as LyingPlan,
    config,
  };
  lie(parts);
  const text = Buffer.from(
    JSON.stringify({ __metadata__: { ...metadata, plan: JSON.stringify(parts.plan) }, ...parts.tensors }),
  );
  const head = Buffer.alloc(Math.ceil((8 + text.length) / DATA_ALIGNMENT_BYTES) * DATA_ALIGNMENT_BYTES, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  text.copy(head, 8);
  const file = Buffer.concat([head, bytes.subarray(headerEnd)]);
  writeFileSync(path, file);
  Object.assign(rank!, { bytes: file.length, header_crc32: checksum(head) });
  writeFileSync(configPath, JSON.stringify(config));
}
