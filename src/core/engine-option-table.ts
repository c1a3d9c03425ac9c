/** The table of engine options: flags of the command line, readers of config.pbtxt and the reference page follow from it. */
import type { DeviceName } from './device.js';
import type { EngineOptionName, EngineOptions, OpeningOptions, SchedulingOptions } from './engine-options.js';

interface NumberValues {
  readonly type: 'whole' | 'real';
  readonly min: number;
  /** Absent: no bound. */
  readonly max?: number;
}

/** A number of bytes; the command line also takes it with a unit, such as `24GiB`. */
interface ByteValues {
  readonly type: 'bytes';
}

/** A `switch` is named or left out; `onOff` takes true or false. */
interface BooleanValues {
  readonly type: 'switch' | 'onOff';
}

/** Values by the names that they have on the wire. */
interface ChoiceValues<Value> {
  readonly type: 'choice';
  readonly choices: Readonly<Record<string, Value>>;
}

interface TextValues {
  readonly type: 'text';
}

export type OptionValues = NumberValues | ByteValues | BooleanValues | ChoiceValues<unknown> | TextValues;

type ValuesOf<Value> = [Value] extends [number]
  ? NumberValues | ByteValues
  : [Value] extends [boolean]
    ? BooleanValues
    : string extends Value
      ? TextValues
      : ChoiceValues<Value>;

export interface EngineOption<Values extends OptionValues = OptionValues> {
  /** Phrase for help texts and the reference page. */
  readonly meaning: string;
  /** Absent where a value has none. */
  readonly unit?: string;
  readonly values: Values;
  /** The only kind of device whose engines have a use for it; it is refused for others. Absent: all have. */
  readonly device?: DeviceName;
  /** Phrase for the default; absent where the option is off or unlimited. */
  readonly fallback?: string;
  /** Flag of the command line, with its argument. */
  readonly flag?: string;
  /** Other spellings of the flag, which help texts leave out. */
  readonly aliases?: readonly string[];
  /** Parameters of an engine's config.pbtxt; the first that is set counts. */
  readonly parameters?: readonly string[];
  /** Field of config.pbtxt that is no parameter. */
  readonly configField?: string;
}

type Table<Options> = {
  readonly [Name in keyof Options]-?: EngineOption<ValuesOf<NonNullable<Options[Name]>>>;
};

export const OPENING_OPTIONS: Table<Omit<OpeningOptions, 'place'>> = {
  worldSize: {
    meaning: 'ranks that run the engine together, each in a process of its own',
    unit: 'ranks',
    values: { type: 'whole', min: 1, max: 64 },
    fallback: 'as the engine was built',
    flag: '--world-size <n>',
  },
  threadCount: {
    meaning: 'CPU threads of each rank',
    unit: 'threads',
    values: { type: 'whole', min: 1, max: 1024 },
    device: 'cpu',
    fallback: 'all cores, shared between ranks',
    flag: '--threads <n>',
  },
  mapWeights: {
    meaning: 'CPU: map the engine file instead of reading it into huge pages; starts sooner, decodes slower',
    values: { type: 'switch' },
    device: 'cpu',
    flag: '--mmap-weights',
  },
  kvCacheFreeMemFraction: {
    meaning: 'share of the memory free after load for KV blocks',
    unit: 'share',
    values: { type: 'real', min: 0, max: 1 },
    fallback: '0.5 on a CPU, 0.9 on a GPU',
    flag: '--kv-cache-free-mem-fraction <share>',
    aliases: ['--kv-cache-free-gpu-mem-fraction <share>'],
    parameters: ['kv_cache_free_gpu_mem_fraction'],
  },
  maxKvTokens: {
    meaning: 'absolute size of the KV cache',
    unit: 'tokens',
    values: { type: 'whole', min: 1 },
    flag: '--max-tokens-in-paged-kv-cache <tokens>',
    aliases: ['--max-tokens-in-paged-kvcache <tokens>'],
    parameters: ['max_tokens_in_paged_kv_cache'],
  },
  hostKvBytes: {
    meaning: 'host memory for evicted blocks and preempted sequences',
    unit: 'bytes',
    values: { type: 'bytes' },
    fallback: '0',
    parameters: ['kv_cache_host_memory_bytes'],
  },
  maxSequenceCount: {
    meaning: 'sequences at a time',
    unit: 'sequences',
    values: { type: 'whole', min: 1 },
    fallback: "the engine's",
    flag: '--max-num-sequences <n>',
    parameters: ['max_num_sequences'],
  },
  maxStepTokens: {
    meaning: 'tokens of one step at most (prompt chunks and decode together)',
    unit: 'tokens',
    values: { type: 'whole', min: 1 },
    fallback: "the engine's",
    flag: '--max-num-tokens <tokens>',
  },
  blockTokens: {
    meaning: 'KV block size, 8 to 128',
    unit: 'tokens',
    values: { type: 'whole', min: 8, max: 128 },
    fallback: "the engine's",
    flag: '--tokens-per-block <tokens>',
  },
  gpu: {
    meaning: 'which GPU runs an engine built for CUDA; of several ranks, the first of theirs',
    unit: 'ordinal',
    values: { type: 'whole', min: 0, max: 1024 },
    device: 'cuda',
    fallback: '0',
    flag: '--gpu <n>',
    parameters: ['gpu_device_ids'],
  },
  shareGpu: {
    meaning: 'let several ranks share a GPU; slow, for checks',
    values: { type: 'switch' },
    device: 'cuda',
    flag: '--share-gpu',
  },
  collectives: {
    meaning: 'way between the GPUs of ranks: by their own memory where that works, or by NCCL',
    values: { type: 'choice', choices: { auto: 'auto', nccl: 'nccl' } },
    device: 'cuda',
    fallback: 'auto',
    flag: '--collectives <way>',
  },
  oneShotRows: {
    meaning: "most rows of a sum over ranks' GPUs that takes one shot over their memory instead of two",
    unit: 'rows',
    values: { type: 'whole', min: 0, max: 128 },
    device: 'cuda',
    fallback: 'what is faster, timed at load',
    flag: '--one-shot-rows <rows>',
  },
  maxDeviceBytes: {
    meaning: 'cap on weights, workspace and KV cache on a GPU together, such as 32GB',
    unit: 'bytes',
    values: { type: 'bytes' },
    device: 'cuda',
    flag: '--max-device-memory <bytes>',
  },
  cudaLibraryPath: {
    meaning: 'where CUDA libraries lie, separated by colons',
    unit: 'folders',
    values: { type: 'text' },
    device: 'cuda',
    flag: '--cuda-library-path <folders>',
  },
  warmup: {
    meaning: 'run a sequence and capture all CUDA graphs while loading, not with the first requests',
    values: { type: 'switch' },
    flag: '--warmup',
  },
};

export const SCHEDULING_OPTIONS: Table<SchedulingOptions> = {
  batchingType: {
    meaning: 'how running batches are formed',
    values: {
      type: 'choice',
      choices: {
        V1: 'V1',
        v1: 'V1',
        inflight_batching: 'inflight_batching',
        inflight_fused_batching: 'inflight_fused_batching',
      },
    },
    fallback: 'inflight_fused_batching',
    parameters: ['gpt_model_type', 'batching_strategy'],
  },
  policy: {
    meaning: 'when a request may start: guaranteed_no_evict or max_utilization',
    values: {
      type: 'choice',
      choices: { guaranteed_no_evict: 'guaranteed_no_evict', max_utilization: 'max_utilization' },
    },
    fallback: 'guaranteed_no_evict',
    flag: '--scheduler-policy <policy>',
    parameters: ['batch_scheduler_policy'],
  },
  maxQueuedRequests: {
    meaning: 'requests that may wait',
    unit: 'requests',
    values: { type: 'whole', min: 1 },
    configField: 'dynamic_batching.default_queue_policy.max_queue_size',
  },
  maxBeamWidth: {
    meaning: 'largest number of beams of a request',
    unit: 'beams',
    values: { type: 'whole', min: 1 },
    fallback: '16',
    parameters: ['max_beam_width'],
  },
  prefixReuse: {
    meaning: 'do not compute prompt prefixes again that are still in the KV cache',
    values: { type: 'onOff' },
    fallback: 'true',
    parameters: ['enable_kv_cache_reuse'],
  },
  overlap: {
    meaning: 'submit a step before the last one is read',
    values: { type: 'onOff' },
    fallback: 'on for GPUs',
    flag: '--enable-trt-overlap [flag]',
    parameters: ['enable_trt_overlap'],
  },
};

export const ENGINE_OPTIONS: Table<Pick<EngineOptions, EngineOptionName>> = {
  ...OPENING_OPTIONS,
  ...SCHEDULING_OPTIONS,
};
