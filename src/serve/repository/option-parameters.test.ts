import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ENGINE_OPTIONS } from '../../core/engine-option-table.js';
import type { EngineOptions } from '../../core/engine-options.js';
import { writeConfigText } from '../../protocol/grpc/config-text.js';
import { fakeEngine } from '../testing/test-server.js';
import { readConfigFile } from './config-file.js';
import { completeSettings } from './create.js';
import { engineModels } from './memory-models.js';
import { readOptions } from './option-parameters.js';
import { ParameterReader } from './parameters.js';
import { repositoryConfigs } from './templates.js';

let directory: string;
let engineDirectory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'aloft-options-'));
  engineDirectory = fakeEngine(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Options that the text of an engine's configuration sets, and the sentences about it. */
function read(text: string): { readonly options: EngineOptions; readonly messages: readonly string[] } {
  const { file } = readConfigFile('config.pbtxt', text);
  const parameters = new ParameterReader(file!);
  const options = readOptions(file!, parameters);
  parameters.reportIdle('engine');
  return { options, messages: parameters.findings.map(({ message }) => message) };
}

test('every option that a configuration can set survives writing and reading', () => {
  const options: EngineOptions = {
    batchingType: 'V1',
    policy: 'max_utilization',
    kvCacheFreeMemFraction: 0.25,
    maxKvTokens: 1234,
    hostKvBytes: 2 ** 40,
    maxSequenceCount: 3,
    maxBeamWidth: 2,
    maxQueuedRequests: 5,
    prefixReuse: false,
    overlap: true,
    gpu: 1,
  };
  const inConfigurations = Object.entries(ENGINE_OPTIONS)
    .filter(([, { parameters, configField }]) => parameters !== undefined || configField !== undefined)
    .map(([name]) => name);
  expect(Object.keys(options).toSorted()).toEqual(inConfigurations.toSorted());
  const settings = completeSettings({ engineDirectory, options });
  const text = writeConfigText(repositoryConfigs(settings).get('tensorrt_llm')!);
  expect(read(text)).toEqual({ options, messages: [] });
});

test('what the command line can set, the configuration of an engine without a repository leaves open', () => {
  const engine = engineModels(engineDirectory, undefined).find(({ name }) => name === 'tensorrt_llm')!;
  const { options } = read(engine.signature);
  const flags = Object.entries(ENGINE_OPTIONS).filter(([, { flag }]) => flag !== undefined);
  expect(flags.map(([name]) => name).filter((name) => name in options)).toEqual([]);
});

test.each([
  ['gpt_model_type', 'static', /must be one of V1, v1, inflight_batching, inflight_fused_batching/],
  ['kv_cache_free_gpu_mem_fraction', '1.5', /must be a number from 0 to 1/],
  ['kv_cache_host_memory_bytes', '1GiB', /must be an integer at least 0/],
  ['max_tokens_in_paged_kv_cache', '0', /must be an integer at least 1/],
  ['enable_kv_cache_reuse', 'maybe', /must be true or false/],
])('%s: %s is refused', (key, value, message) => {
  const text = `parameters: { key: "${key}" value: { string_value: "${value}" } }`;
  expect(read(text)).toEqual({ options: {}, messages: [expect.stringMatching(message) as string] });
});
