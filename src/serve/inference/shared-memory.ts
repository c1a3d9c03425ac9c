/** Shared memory regions of Triton: none is ever registered, and registering one is refused with a reason. */
import { AloftError } from '../../core/errors.js';

export type RegionKind = 'system' | 'cuda';

/** @param region Empty: all, of which there are none. @throws {AloftError} REGION_NOT_FOUND with Triton's text */
export function requireNoRegion(kind: RegionKind, region: string): void {
  if (region === '') return;
  throw new AloftError('REGION_NOT_FOUND', `Unable to find ${kind} shared memory region: '${region}'`);
}

export function sharedMemoryRefusal(): AloftError {
  return new AloftError('UNSUPPORTED', 'Shared memory is not supported: send tensors in the request.');
}
