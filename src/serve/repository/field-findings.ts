/** Fields of a config.pbtxt, other than its parameters, that Triton knows and that have no effect here. */
import type { ModelConfig } from '../../protocol/gen/model_config_pb.js';
import { lineOf, type ConfigFile } from './config-file.js';
import type { Finding } from './finding.js';

interface IdleField {
  /** Name as it is written in the file. */
  readonly field: string;
  readonly isSet: (config: ModelConfig) => boolean;
  readonly why: string;
}

const dynamicBatching = ({ schedulingChoice }: ModelConfig) =>
  schedulingChoice.case === 'dynamicBatching' ? schedulingChoice.value : undefined;

const BY_THE_STEP = 'requests enter and leave the running batch at every step';

const IDLE_FIELDS: readonly IdleField[] = [
  {
    field: 'count',
    isSet: ({ instanceGroup }) => instanceGroup.some(({ count }) => count > 1),
    why: 'one instance serves any number of requests at once',
  },
  {
    field: 'gpus',
    isSet: ({ instanceGroup }) => instanceGroup.some(({ gpus }) => gpus.length > 0),
    why: "the parameter 'gpu_device_ids' chooses the GPU",
  },
  {
    field: 'preferred_batch_size',
    isSet: (config) => (dynamicBatching(config)?.preferredBatchSize.length ?? 0) > 0,
    why: BY_THE_STEP,
  },
  {
    field: 'max_queue_delay_microseconds',
    isSet: (config) => (dynamicBatching(config)?.maxQueueDelayMicroseconds ?? 0n) > 0n,
    why: BY_THE_STEP,
  },
  {
    field: 'preserve_ordering',
    isSet: (config) => dynamicBatching(config)?.preserveOrdering ?? false,
    why: 'answers come when they are complete; a stream of a model that is not decoupled keeps its order',
  },
  {
    field: 'timeout_action',
    isSet: (config) => (dynamicBatching(config)?.defaultQueuePolicy?.timeoutAction ?? 0) !== 0,
    why: 'a request that waits too long is always refused',
  },
  {
    field: 'sequence_batching',
    isSet: ({ schedulingChoice }) => schedulingChoice.case === 'sequenceBatching',
    why: 'every request stands alone; its prompt has all of a conversation',
  },
  {
    field: 'optimization',
    isSet: ({ optimization }) => optimization !== undefined,
    why: 'kernels are chosen when the engine is built',
  },
  {
    field: 'model_warmup',
    isSet: ({ modelWarmup }) => modelWarmup.length > 0,
    why: 'engines load ready to answer at full speed',
  },
  {
    field: 'response_cache',
    isSet: ({ responseCache }) => responseCache?.enable ?? false,
    why: 'only the KV of prompts is cached, not answers',
  },
];

export function idleFieldFindings(file: ConfigFile): Finding[] {
  return IDLE_FIELDS.filter(({ isSet }) => isSet(file.config)).map(({ field, why }) => ({
    severity: 'warning',
    file: file.path,
    line: lineOf(file, new RegExp(`(^|[\\s{])${field}\\s*[:{[]`)),
    message: `'${field}' has no effect: ${why}.`,
  }));
}

/** Levels that a request cannot mean. */
export function priorityFindings(file: ConfigFile): Finding[] {
  const batching = dynamicBatching(file.config);
  const { priorityLevels: levels = 0n, defaultPriorityLevel: level = 0n } = batching ?? {};
  const findings: Finding[] = [];
  const add = (line: number | undefined, message: string) =>
    findings.push({ severity: 'error', file: file.path, line, message });
  if (levels === 0n ? level !== 0n : level < 1n || level > levels) {
    add(
      lineOf(file, /default_priority_level/) ?? lineOf(file, /priority_levels/),
      levels === 0n
        ? `'default_priority_level' is ${level}, but there are no 'priority_levels'; set both or none.`
        : `'default_priority_level' is ${level}, but must be from 1 to the priority_levels, ${levels}.`,
    );
  }
  for (const key of Object.keys(batching?.priorityQueuePolicy ?? {})) {
    if (BigInt(key) >= 1n && BigInt(key) <= levels) continue;
    const line = lineOf(file, /priority_queue_policy/);
    add(line, `'priority_queue_policy' has the key ${key}, but the priority_levels are ${levels}.`);
  }
  return findings;
}
