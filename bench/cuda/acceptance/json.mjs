import { readFileSync } from 'node:fs';

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** True when both values have the same JSON text. */
export const sameJson = (a, b) => JSON.stringify(a) === JSON.stringify(b);
