import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createWakeUp } from './wake-up.js';

/** Writes a byte from another thread of this process, a little later. */
function writeElsewhere(descriptor: number): Promise<unknown> {
  const program = `setTimeout(() => require('node:fs').writeSync(${descriptor}, 'x'), 20)`;
  return new Promise((resolve) => new Worker(program, { eval: true }).on('exit', resolve));
}

test('everyone who waits is woken by a byte from another thread, again and again', async () => {
  const wakeUp = createWakeUp();
  for (let round = 0; round < 3; round++) {
    const written = writeElsewhere(wakeUp.descriptor);
    await Promise.all([wakeUp.next(), wakeUp.next()]);
    await written;
  }
  wakeUp.dispose();
});

test('nobody is woken without a byte, and bytes that came before are forgotten', async () => {
  const wakeUp = createWakeUp();
  writeSync(wakeUp.descriptor, 'xx');
  await new Promise((resolve) => setTimeout(resolve, 20));
  let isWoken = false;
  const next = wakeUp.next().then(() => (isWoken = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isWoken).toBe(false);
  writeSync(wakeUp.descriptor, 'x');
  await next;
  wakeUp.dispose();
});

test('a full pipe takes no more and loses no wake-up', async () => {
  const wakeUp = createWakeUp();
  const next = wakeUp.next();
  const fill = () => {
    for (;;) writeSync(wakeUp.descriptor, Buffer.alloc(4096));
  };
  expect(fill).toThrow(/EAGAIN/);
  await next;
  wakeUp.dispose();
});

test('a worker thread closes its pipe without a warning', async () => {
  const program = `
    import { createWakeUp } from '${new URL('wake-up.js', import.meta.url).href}';
    createWakeUp().dispose();`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const worker = new Worker(url, { stderr: true });
  let printed = '';
  worker.stderr.on('data', (chunk) => (printed += String(chunk)));
  expect(await new Promise((resolve) => worker.on('exit', resolve))).toBe(0);
  expect(printed).toBe('');
});

/** Ends a worker while its pipe is written to by this thread; resolves to the exit status. */
async function endWorker(end: 'return' | 'terminate'): Promise<number> {
  const program = `
    import { parentPort } from 'node:worker_threads';
    import { createWakeUp } from '${new URL('wake-up.js', import.meta.url).href}';
    const wakeUp = createWakeUp();
    parentPort.postMessage(wakeUp.descriptor);
    await wakeUp.next();
    ${end === 'terminate' ? 'await wakeUp.next(); await new Promise(() => setInterval(() => {}, 1000));' : ''}`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const ended = new Promise<number>((resolve) => worker.on('exit', resolve));
  const descriptor = await new Promise<number>((resolve) => worker.once('message', resolve));
  const writing = setInterval(() => {
    try {
      writeSync(descriptor, 'x');
    } catch (fault) {
      // The thread has closed the other end.
      if ((fault as NodeJS.ErrnoException).code !== 'EPIPE') throw fault;
    }
  }, 1);
  if (end === 'terminate') setTimeout(() => void worker.terminate(), 30);
  const status = await ended;
  clearInterval(writing);
  return status;
}

test('a thread that ends with bytes on their way takes nothing else with it', async () => {
  expect(await endWorker('return')).toBe(0);
  expect(await endWorker('terminate')).toBe(1);
});
