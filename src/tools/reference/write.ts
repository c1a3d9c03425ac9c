/** `npm run reference`: writes the generated pages of docs/reference/. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { REFERENCE_PAGES } from './pages.js';

const folder = fileURLToPath(new URL('../../../docs/reference/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, render] of Object.entries(REFERENCE_PAGES))
  writeFileSync(`${folder}${name}`, await render());
