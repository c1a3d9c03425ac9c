/**
 * Records what a user sees in a terminal: installing the packed package, chat, server, and a sweep with its progress.
 *   node scripts/pack-native.mjs build/packages && node scripts/record-terminal.mjs build/packages bench/results/terminal
 * At 60, 80 and 140 columns, with and without colours. Needs tmux. Screens are captured while work runs and after it, so that they
 * show bars. A line that is wider than its terminal fails.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [packages, target] = process.argv.slice(2);
if (packages === undefined || target === undefined) {
  console.error('usage: node scripts/record-terminal.mjs <directory of packages> <directory to write>');
  process.exit(2);
}
const tarballs = readdirSync(packages)
  .filter((name) => name.endsWith('.tgz'))
  .map((name) => resolve(packages, name));
const WIDTHS = [60, 80, 140];
const ROWS = 45;
const PATIENCE_MS = 90_000;
const SOCKET = `aloft-record-${process.pid}`;

function tmux(...words) {
  const { status, stdout, stderr } = spawnSync('tmux', ['-L', SOCKET, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tmux ${words[0]}: ${stderr}`);
  return stdout;
}

const screen = (...flags) => tmux('capture-pane', '-p', '-t', 'main', ...flags).trimEnd();
const type = (text) => tmux('send-keys', '-t', 'main', '-l', text);
const press = (key) => tmux('send-keys', '-t', 'main', key);

/** Waits until the screen has the text. */
async function until(pattern, everyMs = 200) {
  const endMs = Date.now() + PATIENCE_MS;
  while (Date.now() < endMs) {
    if (pattern.test(screen('-J'))) return; // lines that the terminal has broken, whole
    await sleep(everyMs);
  }
  throw new Error(`The screen never had ${pattern}:\n${screen()}`);
}

/** Scenes: a name, and steps that type, wait and keep screens. */
const SCENES = [
  {
    name: 'install',
    play: async (keep) => {
      await command(`npm install --no-fund --no-audit $PACKAGES 2>/dev/null`, /added \d+ packages/);
      keep();
      await command('npx aloft --help', /Examples:/);
      keep();
    },
  },
  {
    name: 'chat',
    play: async (keep) => {
      type('npx aloft chat');
      press('Enter');
      await until(/\/help lists commands/);
      type('What is deep learning ?');
      press('Enter');
      await until(/deep learning \?\n[^]+\n>>>$/);
      type('/stats');
      press('Enter');
      await sleep(800);
      keep();
      type('/bye');
      press('Enter');
      await until(/\n\$$/);
    },
  },
  {
    name: 'serve',
    play: async (keep) => {
      await command(
        'npx aloft serve ./engine --http-port 18480 --grpc-port 18481 --metrics-port 18482',
        /Try:/,
      );
      await sleep(300);
      keep();
      press('C-c');
      await until(/All models are stopped/);
    },
  },
  {
    name: 'sweep',
    play: async (keep) => {
      const sweep =
        'npx aloft bench --engine_dir ./engine --batch_size "1;4" --input_output_len "32,16" --num_runs 2 --duration 6';
      await command(sweep, /of 2 cases, \d+ s left/);
      await sleep(1500);
      keep();
      await until(/\| batch 4/);
      await sleep(300);
      keep();
      await command(
        'clear; npx aloft bench --engine_dir ./engine --batch_size "1;4" --input_output_len "32,16" --num_runs 2 --duration 4 --json partial.json',
        /1 of 2 cases/,
      );
      press('C-c');
      await until(/\[CANCELLED\]/);
      keep();
    },
  },
];

async function command(text, pattern) {
  type(text);
  press('Enter');
  await until(pattern);
}

async function record(width, hasColours, folder) {
  const environment = hasColours ? ['-e', 'FORCE_COLOR=1'] : ['-e', 'NO_COLOR=1'];
  const shell = 'bash --norc -c \'PS1="$ " exec bash --norc\'';
  tmux(
    ...['new-session', '-d', '-s', 'main', '-x', String(width), '-y', String(ROWS), '-c', folder],
    ...[...environment, '-e', `PACKAGES=${tarballs.join(' ')}`, '-e', `XDG_CACHE_HOME=${folder}/cache`],
    ...['-e', `XDG_STATE_HOME=${folder}/state`, shell],
  );
  const parts = [];
  try {
    for (const { name, play } of SCENES) {
      type('clear');
      press('Enter');
      await sleep(400);
      await play(() => {
        const widest = Math.max(
          ...screen()
            .split('\n')
            .map((line) => line.length),
        );
        if (widest > width) throw new Error(`A line of ${widest} columns at ${width}:\n${screen()}`);
        parts.push(`===== ${name} =====`, screen(...(hasColours ? ['-e'] : [])), '');
      });
    }
  } finally {
    tmux('kill-server');
  }
  return parts.join('\n').replaceAll(folder, '/home/me/app');
}

mkdirSync(target, { recursive: true });
for (const width of WIDTHS)
  for (const hasColours of [false, true]) {
    const folder = mkdtempSync(join(tmpdir(), 'aloft-record-'));
    try {
      writeFileSync(join(folder, 'package.json'), '{ "name": "app", "version": "1.0.0" }\n');
      const build = [
        'bin/aloft.js',
        'build',
        '--model_dir',
        'models/demo',
        '--output_dir',
        join(folder, 'engine'),
      ];
      spawnSync(process.execPath, [...build, '--max_batch_size', '4'], { cwd: root, stdio: 'ignore' });
      const text = await record(width, hasColours, folder);
      writeFileSync(join(target, `columns-${width}${hasColours ? '-colour' : ''}.txt`), `${text}\n`);
      console.log(`${width} columns${hasColours ? ', colours' : ''}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
