/** Engine options <-> parameters of an engine's config.pbtxt, by the table of engine options. */
import { ENGINE_OPTIONS, type EngineOption } from '../../core/engine-option-table.js';
import type { EngineOptionName, EngineOptions } from '../../core/engine-options.js';
import { present } from '../../core/present.js';
import type { ConfigFile } from './config-file.js';
import type { ParameterReader } from './parameters.js';

/** Options that are written otherwise than as one plain value of one parameter. */
const READERS: Partial<Record<EngineOptionName, (file: ConfigFile, parameters: ParameterReader) => unknown>> =
  {
    gpu: (_, parameters) => firstGpu(parameters),
    maxQueuedRequests: (file) => queuePolicy(file)?.maxQueueSize || undefined,
  };

/** Options that a configuration sets. */
export function readOptions(file: ConfigFile, parameters: ParameterReader): EngineOptions {
  const values = Object.entries(ENGINE_OPTIONS).map(([name, option]) => {
    const read = READERS[name as EngineOptionName];
    return [name, read === undefined ? parameters.option(option) : read(file, parameters)] as const;
  });
  return present(Object.fromEntries(values));
}

/** Parameters that set options; those that config.pbtxt sets by other fields are left out. */
export function optionParameters(options: EngineOptions): Record<string, string> {
  const values = new Map<string, unknown>(Object.entries(options));
  return Object.fromEntries(
    Object.entries(ENGINE_OPTIONS).flatMap(([name, option]) => {
      const [parameter] = option.parameters ?? [];
      const value = values.get(name);
      return parameter === undefined || value === undefined ? [] : [[parameter, wireText(option, value)]];
    }),
  );
}

function wireText({ values }: EngineOption, value: unknown): string {
  const choices = values.type === 'choice' ? Object.entries(values.choices) : [];
  return choices.find(([, choice]) => choice === value)?.[0] ?? String(value);
}

/** The first of gpu_device_ids: one engine of one rank runs on one GPU. */
function firstGpu(parameters: ParameterReader): number | undefined {
  const text = parameters.text('gpu_device_ids');
  if (text === undefined) return undefined;
  const ids = text.split(/[,;]/).map((part) => (part.trim() === '' ? NaN : Number(part)));
  const [first] = ids;
  if (first === undefined || !ids.every((id) => Number.isInteger(id) && id >= 0)) {
    const message = `parameter 'gpu_device_ids' is '${text}', but must be numbers of GPUs, such as 0.`;
    parameters.add('error', 'gpu_device_ids', message);
    return undefined;
  }
  if (ids.length > 1) {
    const message = `parameter 'gpu_device_ids' names ${ids.length} GPUs, but a model runs on one; only GPU ${first} is used.`;
    parameters.add('warning', 'gpu_device_ids', message);
  }
  return first;
}

/** The default queue policy of a configuration. */
export function queuePolicy(file: ConfigFile) {
  const { schedulingChoice } = file.config;
  return schedulingChoice.case === 'dynamicBatching' ? schedulingChoice.value.defaultQueuePolicy : undefined;
}
