/** Finds what is loaded with a compiled module, by its static imports. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const STATIC_IMPORT = /^(?:import|export)\s[^;]*?from\s*'([^']+)';/gm;

/** @returns paths of files of ours, and names of packages and of modules of Node */
export function loadedWith(path: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(path)) return loaded;
  loaded.add(path);
  for (const [, target = ''] of readFileSync(path, 'utf8').matchAll(STATIC_IMPORT)) {
    if (target.startsWith('.')) loadedWith(join(dirname(path), target), loaded);
    else loaded.add(target);
  }
  return loaded;
}
