/** Every struct that TypeScript fills has the fields of its declaration in the kernels' source: names, types, order and offsets. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ADD_ARGS, ADD_BIAS_ARGS } from './add/cuda.js';
import { KV_LAYOUT } from './cpu/kv-layout.js';
import { STEP_VIEW } from './cpu/step-view.js';
import { COPY_WORDS_ARGS } from './cuda/copy-words.js';
import { FILL_ARGS, READ_LIMIT_ARGS } from './cuda/tool-kernels.js';
import { EMBEDDING_ARGS } from './embedding/cuda.js';
import { EXPERT_ARGS, ROUTE_ARGS } from './experts/cuda.js';
import {
  ALL_GATHER_ARGS,
  ALL_REDUCE_ARGS,
  PLACE_GATHERED_ARGS,
  PLACE_TOKENS_ARGS,
  PROOF_ARGS,
  REDUCE_NORM_ARGS,
  SHARE_TOKENS_ARGS,
  TAKE_TOKENS_ARGS,
  TWO_SHOT_ARGS,
} from './exchange/cuda.js';
import { GATHER_ARGS } from './gather/cuda.js';
import { GEGLU_ARGS } from './geglu/cuda.js';
import { HEAD_NORM_ARGS } from './head-norm/cuda.js';
import {
  DEQUANTISE_ARGS,
  ORDER_INPUT_ARGS,
  RING_ARGS,
  ROUND_INPUT_ARGS,
  STREAM_ARGS,
  WIDE_ARGS,
  WIDE8_ARGS,
} from './linear/cuda/args.js';
import { DECODE_ARGS, EXPAND_ARGS, PREFILL_ARGS, WGMMA_PREFILL_ARGS } from './paged-attention/cuda-args.js';
import { RMS_NORM_ARGS, RMS_NORM_CODES_ARGS } from './rms-norm/cuda.js';
import { ROPE_ARGS } from './rope/cuda.js';
import { SAMPLE_ROW, CPU_SAMPLE_SLOT } from './sample/cpu.js';
import { CUDA_SAMPLE_SLOT, SAMPLE_ARGS } from './sample/cuda.js';
import { SOFT_CAP_ARGS } from './soft-cap/cuda.js';
import type { FieldType, Struct } from './struct.js';
import { SWIGLU_ARGS } from './swiglu/cuda.js';

const OPS = fileURLToPath(new URL('../../src/ops/', import.meta.url));
const STRUCTS: readonly Struct[] = [
  ADD_ARGS,
  ADD_BIAS_ARGS,
  ALL_GATHER_ARGS,
  ALL_REDUCE_ARGS,
  PLACE_GATHERED_ARGS,
  PLACE_TOKENS_ARGS,
  PROOF_ARGS,
  REDUCE_NORM_ARGS,
  SHARE_TOKENS_ARGS,
  TAKE_TOKENS_ARGS,
  TWO_SHOT_ARGS,
  COPY_WORDS_ARGS,
  EMBEDDING_ARGS,
  FILL_ARGS,
  GATHER_ARGS,
  EXPERT_ARGS,
  ROUTE_ARGS,
  GEGLU_ARGS,
  HEAD_NORM_ARGS,
  SOFT_CAP_ARGS,
  READ_LIMIT_ARGS,
  RMS_NORM_ARGS,
  RMS_NORM_CODES_ARGS,
  ROPE_ARGS,
  SWIGLU_ARGS,
  DEQUANTISE_ARGS,
  ORDER_INPUT_ARGS,
  RING_ARGS,
  STREAM_ARGS,
  WIDE_ARGS,
  WIDE8_ARGS,
  ROUND_INPUT_ARGS,
  DECODE_ARGS,
  PREFILL_ARGS,
  WGMMA_PREFILL_ARGS,
  EXPAND_ARGS,
  SAMPLE_ARGS,
  CUDA_SAMPLE_SLOT,
  CPU_SAMPLE_SLOT,
  SAMPLE_ROW,
  STEP_VIEW,
  KV_LAYOUT,
];

/** Types of fields by the C types that declare them. Addresses are pointers, or numbers that hold one. */
const C_TYPES: Readonly<Record<string, readonly FieldType[]>> = {
  int: ['i32'],
  float: ['f32'],
  double: ['f64'],
  u64: ['u64'],
  uint64_t: ['u64', 'address'],
  int64_t: ['i64'],
  KvFormat: ['i64'],
  TensorMap: ['tensorMap'],
};
const fieldTypes = (type: string): readonly FieldType[] =>
  type.endsWith('*') ? ['address'] : C_TYPES[type]!;

interface Declared {
  readonly name: string;
  readonly type: string;
}

/** Fields of a struct as its source declares them: those of its base, then statements of its body that are no functions. */
function declaredFields(name: string, file: string): readonly Declared[] {
  const text = readFileSync(OPS + file, 'utf8').replaceAll(/\/\/.*/g, '');
  const [head, base] = new RegExp(`struct ${name}(?: : (\\w+))? \\{`).exec(text)!;
  const rest = text.slice(text.indexOf(head) + head.length);
  let body = '';
  for (let [at, depth] = [0, 1]; ; at++) {
    if (rest[at] === '{') depth++;
    if (rest[at] === '}' && --depth === 0) break;
    // The end of a function's body ends its statement.
    if (depth === 1) body += rest[at] === '}' ? ';' : rest[at];
  }
  const own = body.split(';').flatMap((statement) => {
    const [, type, names] = /^\s*([\w\s]+?[*\s])\s*(\w+(?:\s*,\s*\w+)*)\s*$/.exec(statement) ?? [];
    return (names?.split(',') ?? []).map((one) => ({ name: one.trim(), type: type!.trim() }));
  });
  return base === undefined ? own : [...declaredFields(base, file), ...own];
}

test.each(STRUCTS.map((struct) => [struct.file, struct.name, struct] as const))(
  '%s: %s',
  (_file, _name, struct) => {
    const declared = declaredFields(struct.name, struct.file);
    expect(struct.fields.map(({ name }) => name)).toEqual(declared.map(({ name }) => name));
    for (const [index, { name, type }] of struct.fields.entries())
      expect(fieldTypes(declared[index]!.type), `${name}: ${declared[index]!.type}`).toContain(type);
  },
);

test('a C++ compiler puts the fields where the tables say', () => {
  const lines = STRUCTS.flatMap((struct, index) => [
    `namespace s${index} { struct ${struct.name} {`,
    ...declaredFields(struct.name, struct.file).map(({ type, name }) => `${type} ${name};`),
    '};',
    ...struct.fields.map(
      ({ name, offset }) => `static_assert(offsetof(${struct.name}, ${name}) == ${offset}, "${name}");`,
    ),
    `static_assert(sizeof(${struct.name}) == ${struct.byteLength} && alignof(${struct.name}) == ${struct.alignment}); }`,
  ]);
  const types = `#include <cstddef>
#include <cstdint>
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64; typedef u8 KvElement;
struct alignas(64) TensorMap { u64 words[16]; };
struct alignas(16) Vec16 { u32 words[4]; };
enum class KvFormat : int64_t {};`;
  const folder = mkdtempSync(join(tmpdir(), 'aloft-structs-'));
  try {
    writeFileSync(join(folder, 'structs.cpp'), [types, ...lines].join('\n'));
    const words = ['-std=c++20', '-fsyntax-only', join(folder, 'structs.cpp')];
    const { status, stderr } = spawnSync('g++', words, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('every kernel takes one struct of these by value, and tensor maps where they lie', () => {
  const paths = readdirSync(OPS, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.cu'),
  );
  for (const path of paths) {
    const text = readFileSync(OPS + path, 'utf8');
    const taken = [...text.matchAll(/\(const (__grid_constant__ )?(\w+Args) \w+\)/g)];
    expect(taken.length, path).toBe(text.match(/__global__/g)?.length ?? 0);
    for (const [, isConstant, name] of taken) {
      const struct = STRUCTS.find((one) => one.name === name && /\.cuh?$/.test(one.file));
      const hasMaps = struct?.fields.some(({ type }) => type === 'tensorMap');
      expect(struct, `${path}: ${name}`).toBeDefined();
      if (hasMaps) expect(isConstant, `${path}: ${name}`).toBeDefined();
    }
  }
});
