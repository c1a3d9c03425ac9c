import type { TensorSource } from './checkpoint.js';

const PREFIX = 'model.';

/** A model that was saved without its head has names without the part that stands for the model; here they have it. */
export function withModelPrefix(tensors: TensorSource): TensorSource {
  const isBase = tensors.names.includes('embed_tokens.weight') && tensors.names.includes('norm.weight');
  if (!isBase) return tensors;
  const published = (name: string): string => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name);
  return {
    names: tensors.names.map((name) => PREFIX + name),
    info: (name) => tensors.info(published(name)),
    read: (name) => tensors.read(published(name)),
    ...(tensors.readCodes && { readCodes: (name) => tensors.readCodes!(published(name)) }),
    lostPages: () => tensors.lostPages?.() ?? 0,
    dispose: () => tensors.dispose(),
  };
}
