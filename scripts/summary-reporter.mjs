/**
 * Ends a test run with the skipped tests and what each of them needs, and with one plain line that any
 * continuous-integration reader understands. A test that a machine may skip names its need in brackets, and the way to
 * it after a colon: `playground [needs Chromium: apt-get install chromium]`.
 */
export default class SummaryReporter {
  onTestRunEnd(modules) {
    const count = { passed: 0, failed: 0, skipped: 0 };
    const skipped = [];
    for (const module of modules) {
      if (module.state() === 'failed' && module.children.size === 0) count.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state in count) count[state]++;
        if (state === 'skipped') skipped.push({ file: module.relativeModuleId, name: test.fullName });
      }
    }
    const lines = skippedLines(skipped);
    if (lines.length > 0) console.log(`\nSkipped:\n${lines.map((line) => `  ${line}`).join('\n')}\n`);
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}

/** One line for each need of each file, with the number of tests; a test that names no need has a line of its own. */
export function skippedLines(tests) {
  const counts = new Map();
  for (const { file, name } of tests) {
    const need = /\[(needs [^\]]+)\]/.exec(name)?.[1];
    const key = `${file}: ${need ?? `'${name}' names no need`}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${count} in ${key}`);
}
