import { buildFlagReference } from './build-flags.js';
import { commandReference } from './commands.js';
import { engineOptionReference } from './engine-options.js';
import { errorReference } from './errors.js';
import { limitReference } from './limits.js';
import { manPage } from './man-page.js';
import { metricReference } from './metrics.js';
import { opReference } from './ops.js';
import { weightFormatReference } from './weight-formats.js';

/** Generated pages below docs/reference/, by file name. */
export const REFERENCE_PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  'aloft.1': manPage,
  'build-flags.md': buildFlagReference,
  'commands.md': commandReference,
  'engine-options.md': engineOptionReference,
  'errors.md': errorReference,
  'limits.md': limitReference,
  'metrics.md': metricReference,
  'ops.md': opReference,
  'weight-formats.md': weightFormatReference,
};
