import { expect, test } from 'vitest';
import { Interrupted, interruptible, unlessAborted } from './interrupt.js';

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s aborts the work, also nested, and the listeners are gone afterwards',
  async (name, status) => {
    const before = process.listenerCount(name);
    const seen: unknown[] = [];
    const work = interruptible(async (outer) => {
      await interruptible(async (inner) => {
        process.emit(name, name);
        seen.push(inner.reason, outer.reason);
        inner.throwIfAborted();
      });
    });
    await expect(work).rejects.toBeInstanceOf(Interrupted);
    expect(seen.map((reason) => (reason as Interrupted).exitStatus)).toEqual([status, status]);
    expect(process.listenerCount(name)).toBe(before);
  },
);

test('a result that comes first is handed out; work that hangs is left when the signal is aborted', async () => {
  const controller = new AbortController();
  expect(await unlessAborted(Promise.resolve(3), controller.signal)).toBe(3);
  const hanging = unlessAborted(new Promise<never>(() => {}), controller.signal);
  controller.abort(new Interrupted('SIGINT', 'nothing is left'));
  await expect(hanging).rejects.toThrow('Stopped by SIGINT; nothing is left.');
  await expect(unlessAborted(Promise.resolve(3), controller.signal)).rejects.toThrow(/Stopped/);
  // Work that fails after nobody waits for it is no unhandled rejection, which would fail this file.
  await expect(unlessAborted(Promise.reject(new Error('late')), controller.signal)).rejects.toThrow(
    /Stopped/,
  );
  await new Promise((resolve) => setImmediate(resolve));
});
