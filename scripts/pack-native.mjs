/**
 * Makes the npm packages of a release in a directory:
 *   node scripts/pack-native.mjs DIRECTORY [linux-x64-gnu] [linux-arm64-gnu] ...
 * One package for each platform holds the compiled CPU kernels, with the C++ runtime inside, so that they need the C library alone. The main
 * package names them as optional dependencies: npm installs the one that fits, and on other platforms the kernels are compiled.
 * Without names of platforms it is the present one. A compiler for another is the one that Debian calls <triple>-g++, and musl is that of
 * Debian's musl-dev; `CXX_<PLATFORM>`, such as CXX_LINUX_ARM64_GNU, names another compiler.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLibrary, MUSL_X64, sourceHash } from './native-library.mjs';
import { removeUnreachedDeclarations } from './declarations.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PLATFORMS = {
  'linux-x64-gnu': { os: 'linux', arch: 'x64', libc: 'glibc', compiler: 'x86_64-linux-gnu-g++' },
  'linux-x64-musl': {
    os: 'linux',
    arch: 'x64',
    libc: 'musl',
    compiler: 'x86_64-linux-gnu-g++',
    link: MUSL_X64,
  },
  'linux-arm64-gnu': { os: 'linux', arch: 'arm64', libc: 'glibc', compiler: 'aarch64-linux-gnu-g++' },
};
/** The C++ runtime goes in, and what nobody calls of it is left out: some of it would need a newer glibc. */
const STATIC_RUNTIME = {
  linkFlags: ['-static-libstdc++', '-static-libgcc', '-s', '-Wl,--exclude-libs,ALL', '-Wl,--gc-sections'],
};

const [directory, ...given] = process.argv.slice(2);
const names = given.length > 0 ? given : [`${process.platform}-${process.arch}-gnu`];
const unknown = names.find((name) => !Object.hasOwn(PLATFORMS, name));
if (directory === undefined || unknown !== undefined) {
  console.error(
    `usage: node scripts/pack-native.mjs <directory> [platform ...]; platforms: ${Object.keys(PLATFORMS).join(', ')}`,
  );
  process.exit(2);
}

function run(program, words, cwd) {
  const { status, stdout, error } = spawnSync(program, words, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} failed`, { cause: error });
  return stdout;
}

/** Packs a folder. @returns the path of the tarball */
function pack(folder) {
  const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', resolve(directory)];
  const [{ filename }] = JSON.parse(run('npm', words, folder));
  return join(resolve(directory), filename);
}

async function packPlatform(name, { version, license }, work) {
  const { os, arch, libc, compiler, link = STATIC_RUNTIME } = PLATFORMS[name];
  const otherCompiler = process.env[`CXX_${name.toUpperCase().replaceAll('-', '_')}`];
  const folder = join(work, name);
  mkdirSync(folder);
  const library = join(root, 'build', name, 'libaloft-cpu.so');
  await buildLibrary(library, {
    ...(otherCompiler === undefined ? link : STATIC_RUNTIME),
    compiler: otherCompiler ?? compiler,
    arch,
    objects: join(root, 'build', otherCompiler === undefined ? `${os}-${arch}` : name),
    say: (text) => process.stderr.write(text.replace('CPU kernels', `CPU kernels for ${name}`)),
  });
  copyFileSync(library, join(folder, 'libaloft-cpu.so'));
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const contents = {
    name: `aloft-cpu-${name}`,
    version,
    description: `CPU kernels of Aloft for ${name}`,
    license,
    os: [os],
    cpu: [arch],
    libc: [libc],
    files: ['libaloft-cpu.so'],
    aloft: { sources: sourceHash() },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(contents, undefined, 2)}\n`);
  return pack(folder);
}

/** The main package, with the platforms' packages as optional dependencies. */
function packMain(work) {
  const plain = pack(root);
  run('tar', ['-xzf', plain, '-C', work]);
  const file = join(work, 'package/package.json');
  const contents = JSON.parse(readFileSync(file, 'utf8'));
  contents.optionalDependencies = Object.fromEntries(
    names.map((name) => [`aloft-cpu-${name}`, contents.version]),
  );
  writeFileSync(file, `${JSON.stringify(contents, undefined, 2)}\n`);
  removeUnreachedDeclarations(join(work, 'package'), contents.exports);
  rmSync(plain);
  return pack(join(work, 'package'));
}

mkdirSync(directory, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'aloft-pack-'));
try {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of names) console.log(await packPlatform(name, manifest, work));
  console.log(packMain(work));
} finally {
  rmSync(work, { recursive: true, force: true });
}
