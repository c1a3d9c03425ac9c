import type { DType } from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import type { GenerationConfig } from './generation-config.js';
import type { ModelConfig } from './model-config.js';
import type { PublishedPooling } from './pooling.js';

/** Facts about a tensor before it is read. */
export interface TensorInfo {
  /** The file that holds it, for messages. */
  readonly file: string;
  readonly shape: readonly number[];
  /** Undefined for types that Aloft does not compute with, such as F64 or BOOL. */
  readonly dtype: DType | undefined;
  /** The type as the file calls it. */
  readonly dtypeName: string;
}

/** Named tensors, read one at a time. */
export interface TensorSource {
  readonly names: readonly string[];
  info(name: string): TensorInfo | undefined;
  /** A row-major tensor, usually a view of a mapped file; valid until the next `read`. `name` must be known to `info`. */
  read(name: string): HostTensor;
  /** Number of pages that were read and are gone, because a file became shorter. Absent: nothing is mapped. */
  lostPages?(): number;
  dispose(): void;
}

/** Everything that a build takes from a model: a Hugging Face directory, or a generator of random weights. */
export interface Checkpoint {
  /** Directory or description, for messages. */
  readonly origin: string;
  readonly config: ModelConfig;
  readonly generation: GenerationConfig;
  /** Folder of the files of tokenizer and templates. Absent: the origin. */
  readonly tokenizerDirectory?: string;
  /** Absent: nothing is published about it. */
  readonly pooling?: () => PublishedPooling;
  /** Paths of tokenizer and template files. */
  readonly tokenizerFiles: readonly string[];
  readonly tensors: TensorSource;
  /** Faults of the files that a build can go on with, but its user should know. */
  readonly warnings: readonly string[];
}
