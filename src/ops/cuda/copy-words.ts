/** Copies of a few words between a GPU and pinned memory of its host, by a kernel. Pure. */
import { Struct } from '../struct.js';
import { ceilDiv, type KernelLaunch } from './launch.js';
import { SMALL_THREADS, smallLaunch } from './small-launch.js';

export const COPY_WORDS_ARGS = new Struct('CopyWordsArgs', 'cuda/copy-words.cu', {
  source: 'address',
  target: 'address',
  pieces: 'i32',
});

/** What a thread copies at once. Addresses are multiples of it, and both sides have room for whole pieces. */
export const COPY_PIECE_BYTES = 16;
/** So many blocks have more under way than the bus to the host brings. */
const MAX_BLOCKS = 32;

/** @param byteLength is rounded up to whole pieces */
export function copyWordsLaunch(target: number, source: number, byteLength: number): KernelLaunch {
  const pieces = ceilDiv(byteLength, COPY_PIECE_BYTES);
  const blocks = Math.min(MAX_BLOCKS, ceilDiv(pieces, SMALL_THREADS));
  return smallLaunch('copy_words', [blocks, 1, 1], COPY_WORDS_ARGS.of({ source, target, pieces }));
}
