/** Declarations (`.d.ts`) in a package. */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Declarations that a program's compiler reads: those of the package's entries, and what they import. */
function reachedDeclarations(folder, exported) {
  const reached = new Set();
  const follow = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?'(\.[^']+)\.js'/g))
      follow(join(dirname(file), `${target}.d.ts`));
  };
  for (const { types } of Object.values(exported)) follow(join(folder, types));
  return reached;
}

/**
 * Removes the declarations of modules that no program can import: nine of ten, and npm takes about a millisecond for a file.
 * @param folder of an unpacked package
 * @param exported `exports` of its package.json
 */
export function removeUnreachedDeclarations(folder, exported) {
  const reached = reachedDeclarations(folder, exported);
  for (const name of readdirSync(join(folder, 'dist'), { recursive: true })) {
    const file = join(folder, 'dist', name);
    if (name.endsWith('.d.ts') && !reached.has(file)) rmSync(file);
  }
}
