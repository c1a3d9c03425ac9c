import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { DEVICE_NAMES, DEVICE_TRAITS, type DeviceName } from '../../core/device.js';
import { DEVICES } from '../../device/device.js';

/** Modules of a device's executor; `node` prints each that it loads. */
function executorModules(device: DeviceName): string[] {
  const hook = `
    import { writeSync } from 'node:fs';
    export async function load(url, context, next) { writeSync(1, url + '\\n'); return next(url, context); }`;
  const program = `
    import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
    const { loadBackend } = await import(${JSON.stringify(new URL('./backends.js', import.meta.url).href)});
    await import(${JSON.stringify(new URL('./open-executor.js', import.meta.url).href)});
    await loadBackend(${JSON.stringify(device)});`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  return printed.split('\n').filter((url) => url.includes('/run/executor/'));
}

test.each(DEVICE_NAMES)('to run on %s, no executor of another device is loaded', (device) => {
  const modules = executorModules(device);
  expect(modules.some((url) => url.includes(`/executor/${device}/`))).toBe(true);
  for (const other of DEVICE_NAMES.filter((name) => name !== device))
    expect(modules.filter((url) => url.includes(`/executor/${other}/`))).toEqual([]);
});

test.each(DEVICE_NAMES)('the entries of %s in the tables agree', (device) => {
  const support = DEVICES[device];
  expect([support.name, support.layout.device]).toEqual([device, device]);
  expect(support.precisions.length).toBeGreaterThan(0);
  // The memory of the host is everybody's: only a device's own can be watched.
  expect('openMemoryGauge' in support).toBe(DEVICE_TRAITS[device].memoryKind === 'gpu');
});
