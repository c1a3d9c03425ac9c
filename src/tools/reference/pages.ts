import { errorReference } from './errors.js';

/** Generated pages below docs/reference/, by file name. */
export const REFERENCE_PAGES: Readonly<Record<string, () => string>> = {
  'errors.md': errorReference,
};
