/** All parts of an acceptance run, in order of importance. */
import { architectureBuild, demo, warmup } from './demo.mjs';
import { planMemory, profile, timingCache, untuned } from './engines.mjs';
import { conformance, memcheck, racecheck } from './sanitizers.mjs';
import {
  build,
  buildWide,
  capped,
  hostTime,
  inflight,
  inflightTable,
  INT4,
  INT8,
  long,
  LONG,
  short,
  SHORT,
  wideLong,
  wideShort,
} from './speed.mjs';
import { tests } from './tests.mjs';

const FP16_KV8 = ['--kv_cache_dtype', 'int8'];
const ofInt8 = { needs: ['build-int8'] };
const ofInt4 = { needs: ['build-int4'] };
const ofFp16 = { needs: ['build-fp16'] };
const ofWide = { needs: ['build-wide'] };

/**
 * `leastSeconds`: with less time left a part is skipped. `needs`: parts whose files it reads. `start` resolves to a text, or to
 * `{ text, data, ok }`, where `ok` is true by default; it rejects when the part fails.
 */
export const PARTS = [
  { name: 'devices', leastSeconds: 5, start: (s) => s.aloft(['devices', ...s.libraryFlags], 20) },
  { name: 'demo', leastSeconds: 20, start: demo },
  { name: 'conformance', leastSeconds: 20, start: conformance },
  { name: 'memcheck', leastSeconds: 30, start: memcheck },
  { name: 'racecheck', leastSeconds: 90, start: racecheck },
  { name: 'tests', leastSeconds: 60, start: tests },
  { name: 'warmup', leastSeconds: 10, needs: ['demo'], start: warmup },
  { name: 'arch-build', leastSeconds: 30, start: architectureBuild },
  { name: 'build-int8', leastSeconds: 20, start: (s) => build(s, 'int8', INT8) },
  { name: 'int8-short', leastSeconds: 30, ...ofInt8, start: (s) => short(s, 'int8-short', 'int8') },
  { name: 'profile', leastSeconds: 20, ...ofInt8, start: profile },
  { name: 'build-int4', leastSeconds: 30, start: (s) => build(s, 'int4', INT4) },
  { name: 'int4-short', leastSeconds: 30, ...ofInt4, start: (s) => short(s, 'int4-short', 'int4') },
  { name: 'int8-untuned', leastSeconds: 40, needs: ['int8-short'], start: untuned },
  { name: 'build-fp16', leastSeconds: 20, start: (s) => build(s, 'fp16', []) },
  { name: 'fp16-short', leastSeconds: 30, ...ofFp16, start: (s) => short(s, 'fp16-short', 'fp16') },
  { name: 'int8-long', leastSeconds: 40, ...ofInt8, start: (s) => long(s, 'int8-long', 'int8') },
  { name: 'timing-cache', leastSeconds: 20, ...ofInt8, start: timingCache },
  { name: 'plan-memory', leastSeconds: 15, ...ofInt8, start: planMemory },
  { name: 'inflight', leastSeconds: 15, ...ofInt8, start: (s) => inflight(s, 'int8') },
  { name: 'fp16-long', leastSeconds: 50, ...ofFp16, start: (s) => long(s, 'fp16-long', 'fp16') },
  cappedPart('int8-capped-short', 20, ofInt8, { engine: 'int8', lengths: SHORT }),
  cappedPart('int8-capped-long', 50, ofInt8, { engine: 'int8', lengths: LONG }),
  cappedPart('fp16-capped-short', 20, ofFp16, { engine: 'fp16', lengths: SHORT }),
  cappedPart('fp16-capped-long', 100, ofFp16, { engine: 'fp16', lengths: LONG }),
  { name: 'host-time', leastSeconds: 15, ...ofInt8, start: hostTime },
  { name: 'build-wide', leastSeconds: 60, start: buildWide },
  { name: 'wide-short', leastSeconds: 30, ...ofWide, start: wideShort },
  { name: 'wide-long', leastSeconds: 40, ...ofWide, start: wideLong },
  { name: 'inflight-table', leastSeconds: 120, ...ofWide, start: inflightTable },
  { name: 'build-fp16-kv8', leastSeconds: 20, start: (s) => build(s, 'fp16-kv8', FP16_KV8) },
  cappedPart(
    'fp16-kv8-capped',
    50,
    { needs: ['build-fp16-kv8'] },
    { engine: 'fp16-kv8', lengths: '2048,2048', batches: '16' },
  ),
];

function cappedPart(name, leastSeconds, needs, cases) {
  return { name, leastSeconds, ...needs, start: (session) => capped(session, name, cases) };
}
