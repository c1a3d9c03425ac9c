/** Kubernetes manifests against the schemas and types that npm packages publish of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export interface AnyManifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [member: string]: unknown;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

/** Packages by the end of an API group; what is built into Kubernetes has short groups or none. */
const PACKAGES: readonly (readonly [RegExp, string])[] = [
  [/^gateway\.networking\.k8s\.io\//, '@kubernetes-models/gateway-api/'],
  [/^keda\.sh\//, '@kubernetes-models/keda/'],
  [/^monitoring\.coreos\.com\//, '@kubernetes-models/prometheus-operator/'],
  [/^(apps|autoscaling|policy)\/|^v1$/, 'kubernetes-models/'],
];

/** Groups of which no package has a schema: kustomize's own files, the inference extension, LeaderWorkerSet. */
const WITHOUT_SCHEMA = /^(kustomize\.config|inference\.networking|leaderworkerset\.x)\.?-?k8s\.io\//;

/** Module that has the schemas of an API version, such as `apps/v1`; undefined where no package has any. */
function moduleOf(apiVersion: string): string | undefined {
  const found = PACKAGES.find(([group]) => group.test(apiVersion));
  if (found !== undefined) return `${found[1]}${apiVersion}`;
  if (WITHOUT_SCHEMA.test(apiVersion)) return undefined;
  throw new Error(`No package is known for ${apiVersion}: name one in src/test/manifests.ts.`);
}

/** All documents of a YAML text but the empty ones. */
export function manifestsOf(text: string): AnyManifest[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    const manifest = document.toJS() as AnyManifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** Manifests that a package has a schema of. */
export const withSchema = (manifests: readonly AnyManifest[]): AnyManifest[] =>
  manifests.filter(({ apiVersion }) => moduleOf(apiVersion) !== undefined);

/** Fault that the schema finds: what is missing, of a wrong type, or out of range. Members that it does not know pass. */
export function manifestFault(manifest: AnyManifest): string | undefined {
  const models = require(moduleOf(manifest.apiVersion)!) as Record<
    string,
    new (manifest: AnyManifest) => { validate(): void }
  >;
  const Model = models[manifest.kind];
  if (Model === undefined) return `${manifest.apiVersion} has no ${manifest.kind}`;
  try {
    new Model(manifest).validate();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Faults that the compiler finds against the published types: the schema's, and members that there are not. */
export function typeFaults(manifests: readonly AnyManifest[]): string {
  const folder = mkdtempSync(join(ROOT, 'build/manifests-'));
  try {
    const lines = manifests.map((manifest, at) => {
      const type = `import('${moduleOf(manifest.apiVersion)!}').I${manifest.kind}`;
      return `export const manifest${at}: ${type} = ${JSON.stringify(manifest, undefined, 1)};`;
    });
    writeFileSync(join(folder, 'manifests.ts'), lines.join('\n'));
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'esnext',
      '--types',
      '',
    ];
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const words = [compiler, ...flags, '--moduleResolution', 'bundler', join(folder, 'manifests.ts')];
    const { stdout, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: 'utf8' });
    return stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
