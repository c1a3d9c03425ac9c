import type { DType } from '../../core/dtype.js';
import type { HostTensor } from '../../core/tensor.js';
import type { QuantisedFormat } from '../../plan/weight-format.js';
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
  /** Format of a tensor that is held as codes, which `readCodes` gives. Absent: numbers. */
  readonly format?: QuantisedFormat;
}

/** A tensor that is held as codes: see QuantisedFormat for what they mean. */
export interface CodedTensor {
  /** [rows, columns] in the format's type of codes. */
  readonly codes: HostTensor;
  /** [rows, groups] in the format's type of scales. */
  readonly scales: HostTensor;
  /** [rows, groups] u8; null in a format without zeros. */
  readonly zeros: HostTensor | null;
  /** [columns] i32: the input of each code; null where codes lie in the order of inputs. */
  readonly order: HostTensor | null;
}

/** Named tensors, read one at a time. */
export interface TensorSource {
  readonly names: readonly string[];
  info(name: string): TensorInfo | undefined;
  /** A row-major tensor in numbers, usually a view of a mapped file; valid until the next `read`. `name` must be known to `info`. */
  read(name: string): HostTensor;
  /** A tensor whose info has a format, as it is held; valid until the next `read` or `readCodes`. */
  readCodes?(name: string): CodedTensor;
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
