import { expect, test } from 'vitest';
import { withModelPrefix } from './base-model.js';
import type { CodedTensor, TensorSource } from './checkpoint.js';

/** As sources of quantised checkpoints are: with its functions in a class. */
class Source implements TensorSource {
  readonly names = ['embed_tokens.weight', 'norm.weight'];
  disposals = 0;

  info(name: string) {
    return { file: name, shape: [1], dtype: 'f32', dtypeName: 'F32' } as const;
  }
  read(name: string) {
    return { dtype: 'f32', shape: [name.length], bytes: new Uint8Array(4) } as const;
  }
  readCodes(name: string): CodedTensor {
    const codes = { dtype: 'i8', shape: [name.length], bytes: new Uint8Array(1) } as const;
    return { codes, scales: codes, zeros: null, order: null };
  }
  lostPages(): number {
    return 3;
  }
  dispose(): void {
    this.disposals++;
  }
}

test('a model without its head has the names of one with it, and everything else', () => {
  const source = new Source();
  const tensors = withModelPrefix(source);
  expect(tensors.names).toEqual(['model.embed_tokens.weight', 'model.norm.weight']);
  expect(tensors.info('model.norm.weight')!.file).toBe('norm.weight');
  expect(tensors.read('model.norm.weight').shape).toEqual([11]);
  expect(tensors.readCodes!('model.norm.weight').codes.shape).toEqual([11]);
  expect(tensors.lostPages!()).toBe(3);
  tensors.dispose();
  expect(source.disposals).toBe(1);
});
