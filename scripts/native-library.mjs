/**
 * Compiles the CPU kernel library from every `.cpp` under src/. Only what changed is compiled again.
 * A file named `<stem>.<isa>.cpp` is compiled for that instruction set, where the processor is of its kind; the others for the baseline
 * of x86-64 or arm64.
 */
import { createHash } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const COMMON_FLAGS = [
  '-std=c++20',
  '-O3',
  '-fPIC',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-ffp-contract=off', // the same roundings at every level: kernels ask for fused multiply-adds where they want them
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Isrc',
];
const AVX512 = [
  '-mavx512f',
  '-mavx512bw',
  '-mavx512vl',
  '-mavx512dq',
  '-mavx2',
  '-mfma',
  '-mf16c',
  '-mprefer-vector-width=512',
  '-Wno-uninitialized', // GCC 12 warns about its own AVX-512 header
  '-Wno-maybe-uninitialized',
];
/** Flags of instruction sets by kind of processor. */
const ISA_FLAGS = {
  x64: {
    avx2: ['-mavx2', '-mfma', '-mf16c'],
    avx512: AVX512,
    avx512vnni: [...AVX512, '-mavx512vnni'],
    amx: [...AVX512, '-mavx512vnni', '-mavx512bf16', '-mamx-tile', '-mamx-int8', '-mamx-bf16'],
  },
  arm64: {
    neon: ['-DALOFT_NEON'], // the baseline has it; the portable level does without
    dotprod: ['-DALOFT_NEON', '-march=armv8.2-a+dotprod'],
  },
};

/** Every file under src/ whose name ends so, sorted, without fixtures of tests: packages have none. */
function sourcesEnding(...endings) {
  return readdirSync(join(root, 'src'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('/testing/'))
    .toSorted();
}

/** All C++ files that the library is made from. */
export const librarySources = () => sourcesEnding('.cpp', '.h');

/** Hash of all C++ files and of the flags: equal hashes mean that a library was made from these. */
export function sourceHash() {
  const hash = createHash('sha256').update(JSON.stringify([COMMON_FLAGS, ISA_FLAGS]));
  for (const file of librarySources()) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** @returns undefined for a file that is for other processors */
function flagsOf(source, arch) {
  const isa = /\.(\w+)\.cpp$/.exec(source)?.[1];
  if (isa === undefined) return COMMON_FLAGS;
  const known = Object.values(ISA_FLAGS).flatMap((flags) => Object.keys(flags));
  if (!known.includes(isa))
    throw new Error(`${source}: unknown instruction set '${isa}'; known: ${known.join(', ')}`);
  const flags = ISA_FLAGS[arch]?.[isa];
  return flags && [...COMMON_FLAGS, ...flags];
}

/** Hash of all that an object was made from: compiler, flags, and the contents of every file that the last compilation read. */
function stampOf({ compiler, flags, source, object }) {
  const hash = createHash('sha256').update([compiler, ...flags].join(' '));
  for (const file of [source, ...dependenciesOf(object)]) {
    hash.update(file).update(existsSync(join(root, file)) ? readFileSync(join(root, file)) : 'missing');
  }
  return hash.digest('hex');
}

/** Our headers from the compiler's dependency file (`-MMD`): `object: source header \\<newline> header ...`. */
function dependenciesOf(object) {
  if (!existsSync(`${object}.d`)) return [];
  const [, list = ''] = readFileSync(`${object}.d`, 'utf8').split(/:(.*)/s);
  return list.split(/[\s\\]+/).filter((file) => file.startsWith('src/'));
}

const stampIn = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

function compile(job) {
  return new Promise((resolve, reject) => {
    mkdirSync(dirname(job.object), { recursive: true });
    const dependencies = ['-MMD', '-MF', `${job.object}.d`];
    const child = spawn(job.compiler, [...job.flags, ...dependencies, '-c', job.source, '-o', job.object], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', (status) => {
      if (status !== 0) return reject(new Error(`${job.compiler} failed on ${job.source}`));
      writeFileSync(`${job.object}.stamp`, stampOf(job));
      resolve();
    });
  });
}

/**
 * Link of a library of x64 with musl by the compiler for glibc, whose types on x64 are those of musl. Its C++ runtime goes in; a symbol
 * that musl lacks is an error here.
 */
export const MUSL_X64 = {
  linkFlags: ['-nodefaultlibs', '-s', '-Wl,--exclude-libs,ALL', '-Wl,--gc-sections', '-Wl,-z,defs'],
  libraries: [
    'scripts/musl/glibc-symbols.cpp',
    ...['-Wl,-Bstatic', '-lstdc++', '-lgcc_eh', '-lgcc', '-Wl,-Bdynamic'],
    ...['-L/usr/lib/x86_64-linux-musl', '-l:libc.so'], // Debian: musl-dev
  ],
};

/** Names every object that is linked, in its present form, and how. */
const linkStampOf = (jobs, flags) =>
  [...jobs.map(({ source, object }) => `${source} ${stampIn(`${object}.stamp`)}`), ...flags].join('\n');

/** Says that nothing was built because the compiler does not run. */
export class CompilerMissing extends Error {}

/**
 * @param library file to write
 * @param options.compiler program, options.arch `x64` or `arm64`, options.objects folder of object files,
 *   options.linkFlags further flags of the linker, options.libraries files and libraries after the objects, options.say receives text about the work
 * @throws {CompilerMissing} when there is work and the compiler does not run
 */
export async function buildLibrary(
  library,
  { compiler, arch, objects, linkFlags = [], libraries = [], say },
) {
  const jobs = sourcesEnding('.cpp').flatMap((source) => {
    const flags = flagsOf(source, arch);
    const object = join(objects, `${source.replaceAll('/', '_')}.o`);
    return flags === undefined ? [] : [{ compiler, source, flags, object }];
  });
  const stale = jobs.filter((job) => stampIn(`${job.object}.stamp`) !== stampOf(job));
  const stampFile = `${library}.stamp`;
  const linkStamp = () => linkStampOf(jobs, [...linkFlags, ...libraries]);
  if (stale.length === 0 && existsSync(library) && stampIn(stampFile) === linkStamp()) return;

  if (spawnSync(compiler, ['--version']).status !== 0) throw new CompilerMissing(compiler);
  say(`Compiling CPU kernels (${stale.length} of ${jobs.length} files) ...`);
  const startMs = Date.now();
  const queue = [...stale];
  await Promise.all(
    Array.from({ length: Math.max(1, cpus().length) }, async () => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) await compile(job);
    }),
  );
  mkdirSync(dirname(library), { recursive: true });
  // nodelete: koffi unloads libraries when a thread's environment ends, but the kernels' thread pool must survive that.
  const link = spawnSync(
    compiler,
    [
      ...['-shared', '-pthread', '-Wl,-z,nodelete', ...linkFlags],
      ...[...jobs.map((job) => job.object), ...libraries, '-o', `${library}.new`],
    ],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (link.status !== 0) throw new Error('linking the CPU kernel library failed');
  renameSync(`${library}.new`, library);
  writeFileSync(stampFile, linkStamp());
  say(` ${((Date.now() - startMs) / 1000).toFixed(1)} s\n`);
}
