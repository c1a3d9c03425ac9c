/** Parts that run the demo model: texts as on a CPU, `--warmup`, engines that were built by architecture alone. */
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sameJson } from './json.mjs';

const PROMPTS = [
  'Once upon a time',
  'There was a little girl named Lily. She',
  'Tom and his dog went to the',
  'One day, a big red bird',
  'The sun was hot and the cat',
  'Ben liked to play with his',
  'Mom said, "Do not',
  'It was a rainy day and',
];
const DEMO_TOKENS = 128;

const placeOf = (session, device) => (device === 'cuda' ? session.libraryFlags : []);

/** Builds the demo model for a device. @returns what was printed */
function buildDemo(session, name, device, extra = []) {
  const model = ['--model_dir', join(session.app, 'models/demo'), '--output_dir', session.work(name)];
  const limits = ['--max_input_len', '512', '--max_output_len', '256', '--max_batch_size', '8'];
  const place = ['--device', device, ...placeOf(session, device)];
  return session.aloft(['build', '--force', ...model, ...place, ...limits, ...extra], 60);
}

function runWords(session, name, device) {
  const [csv, prompts] = [session.work(`${name}.csv`), session.work('prompts.txt')];
  writeFileSync(prompts, `${PROMPTS.join('\n')}\n`);
  const read = ['run', '--engine_dir', session.work(name), '--input_file', prompts, '--output_csv', csv];
  const greedy = ['--temperature', '0', '--max_output_len', String(DEMO_TOKENS), '--ignore_eos'];
  return { csv, words: [...read, ...greedy, ...placeOf(session, device)] };
}

/** Greedy continuations by an engine of the demo model, as arrays of token ids. */
async function idsOf(session, name, device, extra = []) {
  const { csv, words } = runWords(session, name, device);
  await session.aloft([...words, ...extra], 60);
  return readFileSync(csv, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number));
}

export async function demo(session) {
  await buildDemo(session, 'demo-cuda', 'cuda');
  await buildDemo(session, 'demo-cpu', 'cpu');
  const cuda = await idsOf(session, 'demo-cuda', 'cuda');
  const cpu = await idsOf(session, 'demo-cpu', 'cpu');
  const equal = cpu.map((ids, i) => {
    const first = ids.findIndex((id, at) => id !== cuda[i]?.[at]);
    return first < 0 ? 'all' : first;
  });
  const others = equal.filter((count) => count !== 'all');
  const same = equal.length - others.length;
  if (same === 0) throw new Error(`no text equals the CPU's; ids equal up to ${equal.join(', ')}`);
  return `${same} of ${cpu.length} greedy texts equal the CPU's over ${DEMO_TOKENS} tokens (others up to id ${others.join(', ') || '-'})`;
}

/** `--warmup` changes nothing but when the work is done. */
export async function warmup(session) {
  const cold = await idsOf(session, 'demo-cuda', 'cuda');
  const warm = await idsOf(session, 'demo-cuda', 'cuda', ['--warmup']);
  if (!sameJson(cold, warm)) throw new Error('tokens with --warmup are not those without');
  return 'tokens with --warmup are those without';
}

/** Runs a command that must fail, and with words that `pattern` finds. @returns its message */
async function refused(session, words, pattern) {
  const message = await session.aloft(words, 60).then(
    () => 'nothing: it succeeded',
    (fault) => fault.message,
  );
  if (!pattern.test(message))
    throw new Error(`${words[0]} should have been refused with ${pattern}, but printed ${message}`);
  return message;
}

/** Built by architecture alone, an engine is the untuned one, runs where it was moved to, and is refused on another GPU. */
export async function architectureBuild(session) {
  const devices = await session.aloft(['devices', ...session.libraryFlags], 20);
  const here = /^cuda:0 .* (sm_\d+a?) /m.exec(devices)[1];
  const other = here === 'sm_80' ? 'sm_86' : 'sm_80';
  await buildDemo(session, 'demo-untuned', 'cuda', ['--no_tune']);
  if (session.archEngine === undefined)
    await buildDemo(session, 'demo-arch', 'cuda', ['--arch', here, '--no_tune']);
  else cpSync(session.archEngine, session.work('demo-arch'), { recursive: true });
  rmSync(session.work('demo-moved'), { recursive: true, force: true });
  renameSync(session.work('demo-arch'), session.work('demo-moved'));
  const moved = await idsOf(session, 'demo-moved', 'cuda');
  if (!sameJson(moved, await idsOf(session, 'demo-untuned', 'cuda')))
    throw new Error(`tokens of the --arch ${here} build are not the untuned build's`);
  await buildDemo(session, 'demo-other', 'cuda', ['--arch', other]);
  const pattern = new RegExp(`built for ${other}.*is ${here}.*ENGINE_DEVICE`);
  const message = await refused(session, runWords(session, 'demo-other', 'cuda').words, pattern);
  return `--arch ${here}, moved: tokens of the untuned build. --arch ${other}: ${message}`;
}
