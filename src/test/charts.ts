/** Manifests that the Helm chart makes of values: by Helm, or by Go's templates with the functions that Helm takes from Sprig. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { type AnyManifest, manifestsOf } from './manifests.js';

export const CHART = fileURLToPath(new URL('../../deploy/helm/aloft/', import.meta.url));
const RENDERER = fileURLToPath(new URL('../../deploy/helm/testing/render.go', import.meta.url));
/** Folder of Debian's Go packages. */
const GO_PATH = '/usr/share/gocode';

export type Values = { readonly [name: string]: unknown };

const hasHelm = spawnSync('helm', ['version']).status === 0;
const hasGo =
  spawnSync('go', ['version']).status === 0 &&
  ['github.com/Masterminds/sprig', 'sigs.k8s.io/yaml'].every((name) =>
    existsSync(join(GO_PATH, 'src', name)),
  );
export const canRender = hasHelm || hasGo;

const readYaml = (name: string) => parse(readFileSync(join(CHART, name), 'utf8')) as Values;

/** The chart's values with `changes` in them. */
export function valuesWith(changes: Values, values: Values = readYaml('values.yaml')): Values {
  const merged: Record<string, unknown> = { ...values };
  for (const [name, change] of Object.entries(changes))
    merged[name] = isObject(change) && isObject(values[name]) ? valuesWith(change, values[name]) : change;
  return merged;
}

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws {Error} the chart cannot be rendered with these values */
export function rendered(changes: Values): AnyManifest[] {
  const { stdout, stderr, status } = hasHelm ? byHelm(changes) : byGo(changes);
  if (status !== 0) throw new Error(stderr);
  return manifestsOf(stdout);
}

function byHelm(changes: Values) {
  const words = ['template', 'chat', CHART, '--namespace', 'llm', '--values', '-'];
  return spawnSync('helm', words, { encoding: 'utf8', input: JSON.stringify(changes) });
}

function byGo(changes: Values) {
  const { name, version, appVersion } = readYaml('Chart.yaml');
  const context = {
    Values: valuesWith(changes),
    Chart: { Name: name, Version: version, AppVersion: appVersion },
    Release: { Name: 'chat', Namespace: 'llm', Service: 'Helm' },
  };
  return spawnSync('go', ['run', RENDERER], {
    encoding: 'utf8',
    input: JSON.stringify({ folder: CHART, context }),
    env: { ...process.env, GO111MODULE: 'off', GOPATH: GO_PATH, GOFLAGS: '' },
  });
}
