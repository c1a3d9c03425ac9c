/** State that all parts of an acceptance run share: folders, the clock, the log, and the processes that they start. */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param flags of the command line: `out`, `work`, `seconds`, `cuda-library-path`, `arch-engine`
 * @param app folder of the package: a bundle's, or the repository
 */
export function createSession(flags, app) {
  const deadlineMs = performance.now() + Number(flags.seconds) * 1000;
  for (const folder of [flags.out, flags.work]) mkdirSync(folder, { recursive: true });
  const logFile = join(flags.out, 'acceptance.log');
  rmSync(logFile, { force: true });
  const secondsLeft = () => (deadlineMs - performance.now()) / 1000;

  function log(text) {
    process.stdout.write(text);
    appendFileSync(logFile, text);
  }

  /** Runs a command; resolves to what it printed. Rejects when it fails or takes too long. */
  function runLine(line, limitSeconds, cwd = flags.work) {
    const seconds = Math.max(1, Math.min(limitSeconds, secondsLeft()));
    log(`$ ${line.join(' ').replaceAll(`${app}/`, '').replace(process.execPath, 'node')}\n`);
    return new Promise((resolve, reject) => {
      const child = spawn(line[0], line.slice(1), { cwd });
      let printed = '';
      const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      const take = (chunk) => {
        printed += chunk;
        log(String(chunk));
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.on('error', reject);
      child.on('close', (status, signal) => {
        clearTimeout(timer);
        const lastLine = printed.trim().split('\n').at(-1);
        if (status === 0) resolve(printed);
        else if (signal === 'SIGKILL') reject(new Error(`stopped after ${seconds.toFixed(0)} s`));
        else reject(new Error(`exit status ${status}: ${lastLine}`));
      });
    });
  }

  const libraryPath = flags['cuda-library-path'];
  return {
    app,
    archEngine: flags['arch-engine'],
    libraryPath,
    libraryFlags: libraryPath === undefined ? [] : ['--cuda-library-path', libraryPath],
    /** The first of these programs that runs. */
    find: (programs) => programs.find((name) => spawnSync(name, ['--version']).status === 0),
    log,
    runLine,
    secondsLeft,
    /** A file that comes back from the machine. */
    out: (name) => join(flags.out, name),
    /** A file that stays on the machine: engines, intermediate results. */
    work: (name) => join(flags.work, name),
    /** Runs the command line of the package. */
    aloft: (words, limitSeconds) =>
      runLine([process.execPath, join(app, 'bin/aloft.js'), ...words], limitSeconds),
  };
}
