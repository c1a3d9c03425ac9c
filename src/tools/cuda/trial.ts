import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { openGpu } from '../../device/cuda/gpu.js';
import { createKernels } from '../../device/cuda/kernels.js';
import { openNvrtc } from '../../device/cuda/nvrtc.js';
import { openCublasLt } from '../../device/cuda/cublaslt.js';
import { readKernelSource } from '../../device/cuda/kernel-sources.js';
import { createEvent, createStream } from '../../device/cuda/stream.js';
import { f32, i32, pointer, type KernelLaunch, ceilDiv } from '../../ops/cuda/launch.js';
import { floatToHalf, halfToFloat } from '../../core/dtype.js';

const lib = process.argv[2]!;
const dir = '/tmp/trial-cubins';
mkdirSync(dir, { recursive: true });
interface Unit { name: string; file: string; defines: Record<string, string | number> }
const units: Unit[] = [{ name: 'random', file: 'cuda/random.cu', defines: {} }];
interface Config { int8: boolean; nt: number; warps: number; tiles: number; stages: number; norm: boolean }
const configs: Config[] = [];
for (const int8 of [false, true])
  for (const nt of [1, 2, 4])
    for (const warps of [4, 8, 16])
      for (const tiles of [1, 2])
        for (const stages of [2, 4, 6, 8]) {
          if (nt * tiles * stages > 16 || (nt === 4 && (warps === 16 || stages > 2))) continue;
          if (warps * nt * tiles * 512 > 96 * 1024) continue;
          configs.push({ int8, nt, warps, tiles, stages, norm: nt === 1 });
        }
const keyOf = (c: Config) => `lin_${c.int8 ? 'i8' : 'f16'}_n${c.nt}_w${c.warps}_t${c.tiles}_s${c.stages}`;
for (const c of configs)
  units.push({ name: keyOf(c), file: 'linear/cuda.cu', defines: { TRIAL: 1, TRIAL_INT8: String(c.int8), TRIAL_NT: c.nt, TRIAL_WARPS: c.warps, TRIAL_TILES: c.tiles, TRIAL_STAGES: c.stages, TRIAL_NORM: String(c.norm) } });
const splits = [64, 128, 256];
for (const split of splits) units.push({ name: `attn_${split}`, file: 'attention/decode.cu', defines: { HEAD_DIM: 128, GROUP: 1, BLOCK_TOKENS: 16, SPLIT_TOKENS: split } });

if (process.argv[3] === 'compile') {
  const nvrtc = openNvrtc(lib);
  const [index, count] = [Number(process.argv[4]), Number(process.argv[5])];
  units.forEach((u, i) => {
    if (i % count !== index) return;
    writeFileSync(`${dir}/${u.name}.cubin`, nvrtc.compile({ name: u.name, source: readKernelSource(u.file), arch: 'sm_90a', defines: u.defines }).cubin);
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
await Promise.all(Array.from({ length: 15 }, (_, i) => new Promise<void>((res) => fork(process.argv[1]!, [lib, 'compile', String(i), '15']).on('exit', (code) => { if (code) console.log('compile worker', i, 'exit', code); res(); }))));
log('compiled', units.length);

const gpu = openGpu(0);
log(JSON.stringify(gpu.properties), JSON.stringify(gpu.memoryInfo()));
const { driver } = gpu;
const kernels = createKernels(driver, gpu.properties.computeCapability);
for (const u of units) if (existsSync(`${dir}/${u.name}.cubin`)) kernels.load(u.name, new Uint8Array(readFileSync(`${dir}/${u.name}.cubin`)));
const stream = createStream(driver);
const [e0, e1] = [createEvent(driver), createEvent(driver)];
const results: Record<string, unknown> = {};

const POOL = 8 * 2 ** 30;
const pool = gpu.allocate(POOL, 'pool');
const act = gpu.allocate(512 << 20, 'act');
const i64 = (v: number) => pointer(v);
kernels.launch(stream, { unit: 'random', kernel: 'fill_act', grid: [2048, 1, 1], blockThreads: 256, sharedBytes: 0, args: [pointer(pool), i64(POOL / 4), f32(0.02), i32(1)] }, false);
kernels.launch(stream, { unit: 'random', kernel: 'fill_act', grid: [2048, 1, 1], blockThreads: 256, sharedBytes: 0, args: [pointer(act), i64((512 << 20) / 4), f32(1), i32(7)] }, false);
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

function linear(c: Config, kernel: string, p: { x: number; w: number; out: number; m: number; n: number; k: number; bias?: number }): KernelLaunch {
  const glu = kernel === 'trial_swiglu';
  const tiles = glu ? 2 : c.tiles;
  return {
    unit: keyOf(c), kernel, grid: [ceilDiv(p.n, 16 * tiles), 1, 1], blockThreads: c.warps * 32, sharedBytes: c.warps * tiles * c.nt * 8 * 16 * 4,
    args: [pointer(p.x), pointer(p.w), pointer(small), pointer(0), pointer(act + (400 << 20)), pointer(small + (1 << 20)), pointer(p.out), pointer(small + (8 << 20)), i32(p.m), i32(p.n), i32(p.k), i32(glu ? p.n / 2 : p.n), i32(256), f32(1e-5)],
  };
}

// ---- correctness on a small shape ----
{
  const [m, n, k] = [5, 80, 200];
  const bits = (count: number, amp: number) => Uint16Array.from({ length: count }, () => floatToHalf((Math.random() * 2 - 1) * amp));
  const x = bits(m * k, 1), w = bits(n * k, 1);
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
  const [dx, dw, dq, ds, dout] = [gpu.allocate(1 << 20, ''), gpu.allocate(1 << 20, ''), gpu.allocate(1 << 20, ''), gpu.allocate(1 << 20, ''), gpu.allocate(1 << 20, '')];
  gpu.upload(dx, x); gpu.upload(dw, w); gpu.upload(dq, packed); gpu.upload(ds, scales);
  let worst = 0; let bad = '';
  for (const c of configs) {
    const cfg = { ...c };
    const sumsq = new Float32Array(m * 256);
    for (let t = 0; t < m; t++) for (let i = 0; i < k; i++) sumsq[t * 256]! += halfToFloat(x[t * k + i]!) ** 2;
    gpu.upload(small + (1 << 20), sumsq);
    const normW = new Uint16Array(k).fill(floatToHalf(0.5)); gpu.upload(act + (400 << 20), normW);
    const l = linear(cfg, 'trial_store', { x: dx, w: c.int8 ? dq : dw, out: dout, m, n, k });
    const args = [...l.args]; args[2] = pointer(ds);
    kernels.launch(stream, { ...l, args }, true);
    stream.synchronize();
    const out = new Uint16Array(m * n); gpu.download(dout, out);
    let num = 0, den = 0;
    for (let t = 0; t < m; t++) {
      const inv = c.norm ? 0.5 / Math.sqrt(sumsq[t * 256]! / k + 1e-5) : 1;
      for (let r = 0; r < n; r++) {
        let s = 0;
        for (let i = 0; i < k; i++) s += halfToFloat(x[t * k + i]!) * inv * (c.int8 ? q[r * k + i]! * scales[r]! : halfToFloat(w[r * k + i]!));
        num += (halfToFloat(out[t * n + r]!) - s) ** 2; den += s * s;
      }
    }
    const err = Math.sqrt(num / den);
    if (!(err < 2e-3)) bad += ` ${keyOf(c)}:${err.toExponential(2)}`;
    worst = Math.max(worst, err);
  }
  log('linear correctness worst', worst, bad);
  stream.fillWords(small, 0x3c23d70a, (64 << 20) / 4);
  kernels.launch(stream, { unit: 'random', kernel: 'fill_act', grid: [2048, 1, 1], blockThreads: 256, sharedBytes: 0, args: [pointer(act), i64((512 << 20) / 4), f32(1), i32(7)] }, false);
  stream.synchronize();
}

// ---- linear tuning ----
const shapes = [
  { name: 'qkv', n: 12288, k: 4096, kernel: 'trial_store' },
  { name: 'o', n: 4096, k: 4096, kernel: 'trial_residual' },
  { name: 'glu', n: 22016, k: 4096, kernel: 'trial_swiglu' },
  { name: 'down', n: 4096, k: 11008, kernel: 'trial_residual' },
  { name: 'head', n: 32000, k: 4096, kernel: 'trial_store' },
];
for (const c of configs)
  for (const u of ['trial_store', 'trial_residual', 'trial_swiglu'] as const) {
    const r = kernels.resources(keyOf(c), u);
    if (r.localBytes > 0) console.log('spill', keyOf(c), u, JSON.stringify(r));
  }
const best: Record<string, { us: number; c: Config }> = {};
for (const int8 of [false, true])
  for (const nt of [1, 2, 4])
    for (const s of shapes) {
      const bytes = s.n * s.k * (int8 ? 1 : 2);
      const slots = Math.floor(POOL / bytes);
      const count = Math.min(slots, 24);
      const list: { us: number; key: string }[] = [];
      for (const c of configs) {
        if (c.int8 !== int8 || c.nt !== nt) continue;
        if (s.kernel === 'trial_swiglu' && c.tiles === 2) continue;
        const m = nt === 1 ? 1 : nt * 8;
        const ms = timeGraph(() => {
          for (let i = 0; i < count; i++) kernels.launch(stream, linear(c, s.kernel, { x: act, w: pool + i * bytes, out: act + (256 << 20), m, n: s.n, k: s.k }), true);
        });
        const us = (ms * 1000) / count;
        list.push({ us, key: keyOf(c) });
        const bk = `${int8}/${nt}/${s.name}`;
        if (!best[bk] || us < best[bk].us) best[bk] = { us, c };
      }
      list.sort((a, b) => a.us - b.us);
      results[`linear/${int8 ? 'i8' : 'f16'}/n${nt}/${s.name}`] = list;
      log(int8 ? 'i8' : 'f16', 'nt', nt, s.name, list.slice(0, 4).map((l) => `${l.key.replace(/lin_[a-z0-9]+_n\d_/, '')} ${l.us.toFixed(1)}us ${(bytes / l.us / 1e6).toFixed(2)}TB/s`).join(' | '), '... worst', list.at(-1)!.us.toFixed(1));
    }

// ---- m = 8 with the nt = 1 winners, PDL on/off chain of a layer ----
for (const int8 of [false, true])
  for (const m of [1, 4, 8, 16]) {
    const nt = m > 8 ? 2 : 1;
    const layer = shapes.slice(0, 4).map((s) => ({ s, c: best[`${int8}/${nt}/${s.name}`]!.c, bytes: s.n * s.k * (int8 ? 1 : 2) }));
    const layerBytes = layer.reduce((a, l) => a + l.bytes, 0);
    const layers = Math.min(16, Math.floor(POOL / layerBytes));
    const run = (pdl: boolean) => timeGraph(() => {
      let at = pool;
      for (let i = 0; i < layers; i++) for (const l of layer) { kernels.launch(stream, linear(l.c, l.s.kernel, { x: act, w: at, out: act + (256 << 20), m, n: l.s.n, k: l.s.k }), pdl); at += l.bytes; }
    }) * 1000 / layers;
    const [on, off] = [run(true), run(false)];
    log('layer linears', int8 ? 'i8' : 'f16', 'm', m, 'pdl', on.toFixed(1), 'us', (layerBytes / on / 1e6).toFixed(2), 'TB/s; no pdl', off.toFixed(1));
    results[`layer/${int8 ? 'i8' : 'f16'}/m${m}`] = { on, off };
  }

// ---- attention decode ----
for (const split of splits)
  for (const [rows, len] of [[1, 256], [1, 2048], [1, 4096], [16, 256], [16, 2048], [64, 256], [64, 1024]] as const) {
    const blocksPerRow = len / 16;
    const tables = new Int32Array(rows * blocksPerRow).map((_, i) => i);
    for (let i = tables.length - 1; i > 0; i--) { const j = Math.floor(Math.random() * (i + 1)); [tables[i], tables[j]] = [tables[j]!, tables[i]!]; }
    const items: number[] = [];
    for (let r = 0; r < rows; r++) for (let s = 0; s < ceilDiv(len, split); s++) items.push(r * 65536 + s);
    const d = gpu.allocate(4 << 20, 'desc');
    gpu.upload(d, Int32Array.from({ length: rows + 1 }, (_, i) => i));
    gpu.upload(d + 4096, new Int32Array(rows).fill(len));
    gpu.upload(d + 8192, Int32Array.from(items));
    gpu.upload(d + (1 << 20), tables);
    gpu.upload(d + (2 << 20), Int32Array.of(items.length));
    const arrivals = gpu.allocate(1 << 20, 'arr'); stream.fillWords(arrivals, 0, 1 << 18);
    const partials = gpu.allocate(items.length * 32 * 130 * 4 + 256, 'partials');
    const layerBytes = rows * len * 2 * 32 * 128 * 2;
    const layers = Math.max(1, Math.min(16, Math.floor(POOL / layerBytes)));
    const out: string[] = [];
    for (const gy of [Math.min(items.length, 8), Math.min(items.length, 16), Math.min(items.length, 32), items.length].filter((v, i, a) => a.indexOf(v) === i)) {
      const us = timeGraph(() => {
        for (let i = 0; i < layers; i++)
          kernels.launch(stream, { unit: `attn_${split}`, kernel: 'attention_decode', grid: [32, gy, 1], blockThreads: 128, sharedBytes: 0, args: [pointer(act), pointer(pool + i * layerBytes), pointer(act + (256 << 20)), pointer(small), pointer(small), pointer(d), pointer(d + 4096), pointer(d + (1 << 20)), pointer(d + 8192), pointer(d + (2 << 20)), pointer(partials), pointer(arrivals), i32(32), i32(blocksPerRow)] }, true);
      }) * 1000 / layers;
      out.push(`gy${gy} ${us.toFixed(1)}us ${(layerBytes / us / 1e6).toFixed(2)}TB/s`);
    }
    log('attn split', split, 'rows', rows, 'len', len, out.join(' | '));
    gpu.free(d); gpu.free(arrivals); gpu.free(partials);
  }

// ---- cuBLASLt ----
const ws = gpu.allocate(64 << 20, 'ws');
const lt = openCublasLt({ address: ws, byteLength: 64 << 20 }, lib);
log('cublasLt', lt.version);
for (const m of [1, 16, 32, 64, 128, 256, 512, 2048, 8192]) {
  const out: string[] = [];
  for (const s of shapes) {
    const bytes = s.n * s.k * 2;
    const count = m > 512 ? 4 : 12;
    const shape = { m, n: s.n, k: s.k, inputDtype: 'f16', outputDtype: 'f16' } as const;
    const per: string[] = [];
    let bestUs = Infinity, first = 0, which = 0;
    const algos = lt.algorithmCount(shape);
    for (let a = 0; a < algos; a++) {
      const us = timeGraph(() => { for (let i = 0; i < count; i++) lt.matmul(stream, shape, { x: act, weight: pool + i * bytes, out: pool + 6 * 2 ** 30 }, a); }) * 1000 / count;
      if (a === 0) first = us;
      if (us < bestUs) { bestUs = us; which = a; }
      per.push(us.toFixed(1));
    }
    results[`cublas/m${m}/${s.name}`] = per;
    out.push(`${s.name} ${first.toFixed(1)}→${bestUs.toFixed(1)}us(#${which}) ${m >= 256 ? ((2 * m * s.n * s.k) / bestUs / 1e6).toFixed(0) + 'TF' : (bytes / bestUs / 1e6).toFixed(2) + 'TB/s'}`);
  }
  log('cublas m', m, out.join(' | '));
}
writeFileSync(`${process.env['OUT'] ?? '.'}/trial.json`, JSON.stringify(results));
gpu.dispose();
log('done');
