import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { openGpu } from '../../device/cuda/gpu.js';
import { createKernels } from '../../device/cuda/kernels.js';
import { openNvrtc } from '../../device/cuda/nvrtc.js';
import { readKernelSource } from '../../device/cuda/kernel-sources.js';
import { encodeTensorMaps } from '../../device/cuda/tensor-map.js';
import { createEvent, createStream } from '../../device/cuda/stream.js';
import { f32, i32, pointer, type KernelLaunch, ceilDiv } from '../../ops/cuda/launch.js';
import { floatToHalf, halfToFloat } from '../../core/dtype.js';

const lib = process.argv[2]!;
const dir = '/tmp/trial-cubins';
mkdirSync(dir, { recursive: true });
interface Unit {
  name: string;
  file: string;
  defines: Record<string, string | number>;
}
const units: Unit[] = [{ name: 'random', file: 'cuda/random.cu', defines: {} }];
interface Config {
  int8: boolean;
  nt: number;
  r: number;
  wr: number;
  wk: number;
  chunks: number;
}
const configs: Config[] = [];
for (const int8 of [false, true]) {
  for (const nt of [1, 2])
    for (const [r, wr, wk, chunks] of [
      [1, 1, 8, 8],
      [2, 1, 8, 8],
      [2, 1, 4, 4],
      [1, 2, 4, 4],
      [4, 1, 4, 4],
      [2, 2, 4, 4],
      [1, 1, 4, 4],
    ] as const)
      configs.push({ int8, nt, r, wr, wk, chunks });
  for (const [r, wr, wk, chunks] of [
    [1, 2, 4, 4],
    [2, 2, 4, 4],
    [2, 1, 4, 4],
    [1, 4, 2, 2],
    [1, 4, 2, 4],
    [2, 4, 2, 2],
    [2, 4, 1, 2],
    [4, 2, 2, 2],
    [2, 2, 2, 2],
    [1, 4, 4, 4],
    [1, 8, 1, 2],
  ] as const) {
    configs.push({ int8, nt: 4, r, wr, wk, chunks });
    configs.push({ int8, nt: 8, r, wr, wk, chunks });
  }
}
const keyOf = (c: Config) => `ring_${c.int8 ? 'i8' : 'f16'}_n${c.nt}_r${c.r}_${c.wr}x${c.wk}_c${c.chunks}`;
for (const c of configs)
  units.push({
    name: keyOf(c),
    file: 'linear/ring.cu',
    defines: {
      TRIAL: 1,
      TRIAL_INT8: String(c.int8),
      TRIAL_NT: c.nt,
      TRIAL_R: c.r,
      TRIAL_WR: c.wr,
      TRIAL_WK: c.wk,
      TRIAL_BOXES: c.chunks,
    },
  });

if (process.argv[3] === 'compile') {
  const nvrtc = openNvrtc(lib);
  const [index, count] = [Number(process.argv[4]), Number(process.argv[5])];
  units.forEach((u, i) => {
    if (i % count !== index) return;
    writeFileSync(
      `${dir}/${u.name}.cubin`,
      nvrtc.compile({ name: u.name, source: readKernelSource(u.file), arch: 'sm_90a', defines: u.defines })
        .cubin,
    );
  });
  process.exit(0);
}

const t0 = performance.now();
const log = (...a: unknown[]) => console.log(((performance.now() - t0) / 1000).toFixed(1), ...a);
const nvrtc = openNvrtc(lib);
log('nvrtc', nvrtc.version);
{
  const t = performance.now();
  nvrtc.compile({ name: 'x', source: readKernelSource('cuda/random.cu'), arch: 'sm_90a', defines: {} });
  log('one compile ms', (performance.now() - t).toFixed(0));
}
await Promise.all(
  Array.from(
    { length: 15 },
    (_, i) =>
      new Promise<void>((res) =>
        fork(process.argv[1]!, [lib, 'compile', String(i), '15']).on('exit', (code) => {
          if (code) console.log('compile worker', i, 'exit', code);
          res();
        }),
      ),
  ),
);
log('compiled', units.length);

const gpu = openGpu(0);
log(JSON.stringify(gpu.properties), JSON.stringify(gpu.memoryInfo()));
const { driver } = gpu;
const kernels = createKernels(driver, gpu.properties.computeCapability);
for (const u of units)
  if (existsSync(`${dir}/${u.name}.cubin`))
    kernels.load(u.name, new Uint8Array(readFileSync(`${dir}/${u.name}.cubin`)));
const stream = createStream(driver);
const [e0, e1] = [createEvent(driver), createEvent(driver)];
const results: Record<string, unknown> = {};

const POOL = 8 * 2 ** 30;
const pool = gpu.allocate(POOL, 'pool');
const act = gpu.allocate(512 << 20, 'act');
const i64 = (v: number) => pointer(v);
kernels.launch(
  stream,
  {
    unit: 'random',
    kernel: 'fill_act',
    grid: [2048, 1, 1],
    blockThreads: 256,
    sharedBytes: 0,
    args: [pointer(pool), i64(POOL / 4), f32(0.02), i32(1)],
  },
  false,
);
kernels.launch(
  stream,
  {
    unit: 'random',
    kernel: 'fill_act',
    grid: [2048, 1, 1],
    blockThreads: 256,
    sharedBytes: 0,
    args: [pointer(act), i64((512 << 20) / 4), f32(1), i32(7)],
  },
  false,
);
stream.synchronize();
const small = gpu.allocate(64 << 20, 'small'); // scales, sums
stream.fillWords(small, 0x3c23d70a, (64 << 20) / 4); // 0.01f
stream.synchronize();

function timeGraph(enqueue: () => void, repeats = 3): number {
  const graph = stream.capture(enqueue);
  graph.launch(stream);
  stream.synchronize();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    e0.record(stream);
    graph.launch(stream);
    e1.record(stream);
    e1.synchronize();
    times.push(e1.msSince(e0));
  }
  graph.dispose();
  return times.toSorted((a, b) => a - b)[repeats >> 1]!;
}

const mapArea = gpu.allocate(1 << 20, 'maps');
const mapCache = new Map<string, number>();
function mapOf(address: number, rows: number, columns: number, boxRows: number): number {
  const key = `${address},${rows},${columns},${boxRows}`;
  let found = mapCache.get(key);
  if (found === undefined) {
    found = mapArea + mapCache.size * 128;
    if (mapCache.size >= 8192) throw new Error('maps');
    gpu.upload(found, encodeTensorMaps(driver, [{ address, rows, columns, boxRows, dtype: 'f16' }]));
    mapCache.set(key, found);
  }
  return found;
}
function linear(
  c: Config,
  kernel: string,
  p: {
    x: number;
    w: number;
    out: number;
    m: number;
    n: number;
    k: number;
    ring: number;
    grid: number;
    scale?: number;
    xRows?: number;
  },
): KernelLaunch | null {
  const glu = kernel === 'trial_swiglu';
  const tiles = c.r * c.wr;
  if (glu && tiles < 2) return null;
  const stage = c.chunks * (tiles * (c.int8 ? 1024 : 2048) + c.nt * 1024);
  const fixed = 256 + c.wk * tiles * c.nt * 512;
  const stages = Math.min(16, Math.floor((p.ring - fixed) / stage));
  if (stages < 2) return null;
  return {
    unit: keyOf(c),
    kernel,
    grid: [p.grid, 1, 1],
    blockThreads: (c.wr * c.wk + 1) * 32,
    sharedBytes: fixed + stages * stage,
    args: [
      pointer(mapOf(p.x, p.xRows ?? 64, p.k, c.nt * 8)),
      pointer(c.int8 ? p.w : mapOf(p.w, p.n, p.k, 16)),
      pointer(p.scale ?? small),
      pointer(0),
      pointer(p.out),
      i32(p.m),
      i32(p.n),
      i32(p.k),
      i32(glu ? p.n / 2 : p.n),
      i32(stages),
    ],
  };
}

// ---- correctness on a small shape ----
{
  const [m, n, k] = [5, 80, 200];
  const bits = (count: number, amp: number) =>
    Uint16Array.from({ length: count }, () => floatToHalf((Math.random() * 2 - 1) * amp));
  const x = bits(m * k, 1),
    w = bits(n * k, 1);
  const q = Int8Array.from({ length: n * k }, () => Math.floor(Math.random() * 255) - 127);
  const kPad = ceilDiv(k, 64) * 64;
  const packed = new Uint8Array(n * kPad).fill(128);
  for (let r = 0; r < n; r++)
    for (let c = 0; c < k; c++) {
      const tile = (r >> 4) * (kPad / 64) + (c >> 6);
      const lane = (r & 7) * 4 + ((c & 63) >> 4);
      packed[tile * 1024 + ((r & 15) >> 3) * 512 + lane * 16 + (c & 15)] = q[r * k + c]! + 128;
    }
  const scales = Float32Array.from({ length: n }, () => Math.random());
  const scales64 = scales.map((v) => v / 64);
  const [dx, dw, dq, ds, dout] = [
    gpu.allocate(1 << 20, ''),
    gpu.allocate(1 << 20, ''),
    gpu.allocate(1 << 20, ''),
    gpu.allocate(1 << 20, ''),
    gpu.allocate(1 << 20, ''),
  ];
  gpu.upload(dx, x);
  gpu.upload(dw, w);
  gpu.upload(dq, packed);
  gpu.upload(ds, scales64);
  let worst = 0;
  let bad = '';
  for (const c of configs)
    for (const kernel of ['trial_store', 'trial_swiglu']) {
      const glu = kernel === 'trial_swiglu';
      gpu.upload(dout, new Uint16Array(m * n).fill(0x7e00));
      const l = linear(c, kernel, {
        x: dx,
        w: c.int8 ? dq : dw,
        out: dout,
        m,
        n: glu ? 64 : n,
        k,
        ring: 100 << 10,
        grid: 3,
        scale: ds,
        xRows: m,
      });
      if (!l) continue;
      kernels.launch(stream, l, true);
      stream.synchronize();
      const out = new Uint16Array(m * n);
      gpu.download(dout, out);
      let num = 0,
        den = 0;
      const dot = (t: number, r: number) => {
        let s = 0;
        for (let i = 0; i < k; i++)
          s +=
            halfToFloat(x[t * k + i]!) *
            (c.int8 ? (q[r * k + i]! * scales[r]!) / 64 : halfToFloat(w[r * k + i]!));
        return s;
      };
      for (let t = 0; t < m; t++)
        for (let r = 0; r < (glu ? 32 : n); r++) {
          let s = dot(t, r);
          if (glu) s = (s / (1 + Math.exp(-s))) * dot(t, r + 32);
          num += (halfToFloat(out[t * (glu ? 32 : n) + r]!) - s) ** 2;
          den += s * s;
        }
      const err = Math.sqrt(num / den);
      if (!(err < 2e-3)) bad += ` ${keyOf(c)}/${kernel}:${err.toExponential(2)}`;
      worst = Math.max(worst, err);
    }
  log('linear correctness worst', worst, bad);
  stream.fillWords(small, 0x3c23d70a, (64 << 20) / 4);
  kernels.launch(
    stream,
    {
      unit: 'random',
      kernel: 'fill_act',
      grid: [2048, 1, 1],
      blockThreads: 256,
      sharedBytes: 0,
      args: [pointer(act), i64((512 << 20) / 4), f32(1), i32(7)],
    },
    false,
  );
  stream.synchronize();
}

// ---- linear tuning ----
const shapes = [
  { name: 'qkv', n: 12288, k: 4096, kernel: 'trial_store' },
  { name: 'o', n: 4096, k: 4096, kernel: 'trial_store' },
  { name: 'glu', n: 22016, k: 4096, kernel: 'trial_swiglu' },
  { name: 'down', n: 4096, k: 11008, kernel: 'trial_store' },
  { name: 'head', n: 32000, k: 4096, kernel: 'trial_store' },
];
const best: Record<string, { us: number; c: Config; ring: number; grid: number }> = {};
for (const int8 of [false, true])
  for (const nt of [1, 2, 4, 8])
    for (const s of shapes) {
      const bytes = s.n * s.k * (int8 ? 1 : 2);
      const count = Math.min(Math.floor(POOL / bytes), 24);
      const list: { us: number; key: string }[] = [];
      for (const c of configs) {
        if (c.int8 !== int8 || c.nt !== nt) continue;
        const m = nt === 1 ? 1 : nt * 8;
        for (const [ring, grid] of [
          [72 << 10, 132],
          [108 << 10, 132],
          [200 << 10, 132],
          [54 << 10, 264],
          [108 << 10, 264],
          [72 << 10, 396],
        ] as const) {
          const probe = linear(c, s.kernel, { x: act, w: pool, out: act, m, n: s.n, k: s.k, ring, grid });
          if (!probe) continue;
          const ls = Array.from({ length: count }, (_, i) =>
            linear(c, s.kernel, {
              x: act,
              w: pool + i * bytes,
              out: act + (256 << 20),
              m,
              n: s.n,
              k: s.k,
              ring,
              grid,
            })!,
          );
          const ms = timeGraph(() => {
            for (const l of ls) kernels.launch(stream, l, true);
          });
          const us = (ms * 1000) / count;
          list.push({ us, key: `${keyOf(c)}/${ring >> 10}K/${grid}` });
          const bk = `${int8}/${nt}/${s.name}`;
          if (!best[bk] || us < best[bk].us) best[bk] = { us, c, ring, grid };
        }
      }
      list.sort((a, b) => a.us - b.us);
      results[`linear/${int8 ? 'i8' : 'f16'}/n${nt}/${s.name}`] = list;
      log(
        int8 ? 'i8' : 'f16',
        'nt',
        nt,
        s.name,
        list
          .slice(0, 4)
          .map(
            (l) =>
              `${l.key.replace(/ring_[a-z0-9]+_n\d_/, '')} ${l.us.toFixed(1)}us ${(bytes / l.us / 1e6).toFixed(2)}TB/s`,
          )
          .join(' | '),
        '... worst',
        list.at(-1)?.us.toFixed(1),
      );
    }
for (const int8 of [false, true])
  for (const m of [1, 4, 8, 16, 32, 64]) {
    const nt = m > 32 ? 8 : m > 16 ? 4 : m > 8 ? 2 : 1;
    const layer = shapes
      .slice(0, 4)
      .map((s) => ({ s, b: best[`${int8}/${nt}/${s.name}`]!, bytes: s.n * s.k * (int8 ? 1 : 2) }));
    const layerBytes = layer.reduce((a, l) => a + l.bytes, 0);
    const layers = Math.min(16, Math.floor(POOL / layerBytes));
    const run = (pdl: boolean, uniform: boolean) => {
      let at = pool;
      const ls: KernelLaunch[] = [];
      for (let i = 0; i < layers; i++)
        for (const l of layer) {
          ls.push(
            linear(l.b.c, l.s.kernel, {
              x: act,
              w: at,
              out: act + (256 << 20),
              m,
              n: l.s.n,
              k: l.s.k,
              ring: uniform ? 108 << 10 : l.b.ring,
              grid: uniform ? 132 : l.b.grid,
            })!,
          );
          at += l.bytes;
        }
      return (
        (timeGraph(() => {
          for (const l of ls) kernels.launch(stream, l, pdl);
        }) *
          1000) /
        layers
      );
    };
    const [on, off, uni] = [run(true, false), run(false, false), 0];
    log(
      'layer linears',
      int8 ? 'i8' : 'f16',
      'm',
      m,
      'pdl',
      on.toFixed(1),
      'us',
      (layerBytes / on / 1e6).toFixed(2),
      'TB/s; no pdl',
      off.toFixed(1),
      'uniform',
      uni.toFixed(1),
    );
    results[`layer/${int8 ? 'i8' : 'f16'}/m${m}`] = { on, off, uni };
  }

writeFileSync(`${process.env['OUT'] ?? '.'}/trial.json`, JSON.stringify(results));
gpu.dispose();
log('done');
