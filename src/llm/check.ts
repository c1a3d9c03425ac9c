/** Checks an engine directory without loading it. */
export { checkEngine } from '../run/executor/opening/check-engine.js';
