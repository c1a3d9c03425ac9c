/** Reference outputs come from the scripts that are here: a script that has changed since makes its outputs stale. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { referenceJson, referencePath } from './reference-data.js';

/**
 * SHA-256 of `common.py`, on which every output depends, when the outputs were made. Whoever changes that file makes all
 * outputs again (`oracle/scripts/run_all.sh`) and writes its new hash here.
 */
const COMMON_SHA256 = '758e15fd57832abf4f686317f16ae709d29595d1e3472fe55cc86d21a18dc225';

/** Outputs that cannot hold their provenance, and the JSON file that the same run of the same script wrote. */
const WRITTEN_WITH: readonly (readonly [path: RegExp, json: string])[] = [
  [/^logits-demo\.safetensors$/, 'logits-demo.json'],
  [/^logits-tiny\.safetensors$/, 'logits-tiny.json'],
  [/^tiny\/.*$/, 'logits-tiny.json'],
  [/^(families|chatglm|quantised)\/([^/]+)\/([^/]*config\.json|.*\.safetensors)$/, '$1/$2/reference.json'],
  [/^embeddings\/([^/]+)\/(?!reference\.json$).*$/, 'embeddings/$1/reference.json'],
  [/^jinja\/program-results\.json\.gz$/, 'jinja/programs.json'],
  [/^tokenizers\/metaspace\/tokenizer\.json$/, 'tokenizer-demo.json'],
];

/** Every file of `oracle/` but the README and the scripts. */
const OUTPUTS = readdirSync(referencePath('.'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(referencePath('.'), join(entry.parentPath, entry.name)))
  .filter((path) => path !== 'README.md' && !path.startsWith('scripts/'))
  .toSorted();

interface Output {
  readonly provenance?: {
    readonly script: string;
    readonly script_sha256: string;
    /** Hashes of further files in the folder of the scripts. */
    readonly inputs?: Readonly<Record<string, string>>;
  };
}

const scriptSha256 = (script: string): string =>
  createHash('sha256')
    .update(readFileSync(referencePath(join('scripts', script))))
    .digest('hex');

test('the folder holds outputs', () => {
  expect(OUTPUTS.length).toBeGreaterThan(40);
});

test.each(OUTPUTS)('%s was made by the script that is here', (output) => {
  const [path, written] = WRITTEN_WITH.find(([pattern]) => pattern.test(output)) ?? [];
  const json = path === undefined ? output : output.replace(path, written!);
  expect(existsSync(referencePath(json)), `${json}, written together with ${output}`).toBe(true);
  const { provenance } = referenceJson(json) as Output;
  expect(provenance, `${json} begins with its provenance`).toBeDefined();
  const { script, script_sha256, inputs } = provenance!;
  for (const [file, sha256] of Object.entries({ ...inputs, [script]: script_sha256 }))
    expect(scriptSha256(file), `${file} has changed since ${script} wrote ${json}: run it again`).toBe(
      sha256,
    );
});

test('what all scripts share has not changed since', () => {
  expect(scriptSha256('common.py'), 'run oracle/scripts/run_all.sh again, then change COMMON_SHA256').toBe(
    COMMON_SHA256,
  );
});

test('every script but the shared one has an output', () => {
  const scripts = readdirSync(referencePath('scripts')).filter(
    (name) => name.endsWith('.py') && name !== 'common.py',
  );
  const used = OUTPUTS.filter((path) => !WRITTEN_WITH.some(([pattern]) => pattern.test(path))).map(
    (path) => (referenceJson(path) as Output).provenance?.script,
  );
  expect(new Set(used)).toEqual(new Set(scripts));
});
