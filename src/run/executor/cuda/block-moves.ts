import type { StepInput } from '../../../core/step.js';
import type { Stream } from '../../../device/cuda/stream.js';
import type { ExecutorMemory } from './device-memory.js';

type Moves = Pick<StepInput, 'blocksToHost' | 'blocksFromHost' | 'blockCopies'>;

/**
 * Enqueues the moves of KV blocks that come before a step, in the order of the contract.
 * @param hostBase address of the host tier's blocks; undefined without one
 */
export function moveBlocks(
  stream: Stream,
  { blocksToHost, blocksFromHost, blockCopies }: Moves,
  { kvBase, blockBytes }: Pick<ExecutorMemory, 'kvBase' | 'blockBytes'>,
  hostBase: number | undefined,
): void {
  const block = (index: number): number => kvBase + index * blockBytes;
  const host = (index: number): number => hostBase! + index * blockBytes;
  for (let i = 0; i < blocksToHost.length; i += 2)
    stream.copyToHost(host(blocksToHost[i + 1]!), block(blocksToHost[i]!), blockBytes);
  for (let i = 0; i < blocksFromHost.length; i += 2)
    stream.copyToDevice(block(blocksFromHost[i]!), host(blocksFromHost[i + 1]!), blockBytes);
  for (let i = 0; i < blockCopies.length; i += 2)
    stream.copyOnDevice(block(blockCopies[i + 1]!), block(blockCopies[i]!), blockBytes);
}
