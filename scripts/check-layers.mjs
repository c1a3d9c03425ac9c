/** Fails when a folder under src/ imports a folder that layers.json does not allow it to. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
const layers = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8'));
const folders = Object.keys(layers).toSorted((a, b) => b.length - a.length); // most specific first

/** The layer that owns a path relative to src/, or undefined for files directly in src/. */
const layerOf = (path) => folders.find((folder) => path === folder || path.startsWith(`${folder}/`));

const faults = [];
const seen = new Set();
for (const entry of readdirSync(source, { withFileTypes: true, recursive: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
  const file = relative(source, join(entry.parentPath, entry.name));
  const from = layerOf(file);
  if (from === undefined) {
    if (file.includes('/')) faults.push(`src/${file}: its folder is not in layers.json; add it there`);
    continue;
  }
  seen.add(from);
  const isTest = /\.(test|bench)\.ts$/.test(file);
  const text = readFileSync(join(source, file), 'utf8');
  for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']*)'/g)) {
    const imported = relative(source, resolve(dirname(join(source, file)), target));
    const to = layerOf(imported);
    if (to === undefined || to === from || isTest || layers[from].includes(to)) continue;
    faults.push(
      `src/${file}: '${from}' may not import '${to}' (allowed: ${layers[from].join(', ') || 'nothing'})`,
    );
  }
}
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
console.log(`layers: ${seen.size} folders keep to layers.json`);
