/** Aloft's public interface. */
export { AloftError, ERROR_CATALOGUE, type ErrorCode } from './core/errors.js';
