import { readFileSync } from 'node:fs';

interface PackageFile {
  readonly version: string;
  /** Versions that this was tested with, by name. */
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const packageFile = (): PackageFile =>
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as PackageFile;

/** Version of this package, from its package.json. */
export const packageVersion = (): string => packageFile().version;

/** Optional packages with the versions that this one was tested with, as npm takes them: `name@version`. */
export function optionalPackages(): string[] {
  const { devDependencies, peerDependencies } = packageFile();
  return Object.keys(peerDependencies).map((name) => `${name}@${devDependencies[name]}`);
}
