import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { SILENT_LOG, type Log } from '../../core/log.js';
import { fakeEngine, until } from '../testing/test-server.js';
import { ScriptedLoader } from '../testing/scripted-model.js';
import { checkRepository } from './check.js';
import { createRepository } from './create.js';
import { WITHOUT_EFFECT } from './parameter-catalogue.js';
import { formatFinding } from './finding.js';
import { engineModels } from './memory-models.js';
import { ModelRepository, type RepositoryOptions } from './model-repository.js';

let directory: string;
let repository: string;
let engine: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'aloft-repo-'));
  repository = join(directory, 'models');
  engine = fakeEngine(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const configPath = (model: string) => join(repository, model, 'config.pbtxt');
const edit = (model: string, change: (text: string) => string) =>
  writeFileSync(configPath(model), change(readFileSync(configPath(model), 'utf8')));
const setParameter = (key: string, value: string) =>
  edit(
    'tensorrt_llm',
    (text) => `${text}\nparameters: {\n  key: "${key}"\n  value: {\n    string_value: "${value}"\n  }\n}\n`,
  );
const messages = () =>
  checkRepository(repository).map((finding) => formatFinding(finding).replace(`${repository}/`, ''));

const OPTIONS: Omit<RepositoryOptions, 'directories'> = {
  memoryModels: [],
  controlMode: 'none',
  pollSeconds: 15,
  initialModels: [],
  maxQueuedRequests: 8,
  drainMs: 100,
  restart: false,
};

async function open(options: Partial<RepositoryOptions> = {}, loader = new ScriptedLoader()) {
  const models = new ModelRepository(
    { ...OPTIONS, directories: [repository], ...options },
    loader,
    SILENT_LOG,
  );
  await models.start();
  return { models, loader };
}

/** A repository as the templates of tensorrtllm_backend v0.5.0 make it; `${...}` values can be filled. */
function writeUpstream(values: Readonly<Record<string, string>>): void {
  const fill = (text: string) =>
    text.replaceAll(/\$\{(\w+)\}/g, (placeholder, key: string) => values[key] ?? placeholder);
  const write = (model: string, text: string) => {
    mkdirSync(join(repository, model, '1'), { recursive: true });
    writeFileSync(configPath(model), fill(text));
  };
  const tensor = (name: string, type: string, dims: string, rest = '') =>
    `{ name: "${name}" data_type: TYPE_${type} dims: [ ${dims} ] ${rest} }`;
  const optionalTensors = ['end_id', 'pad_id', 'beam_width', 'min_length'].map((name) =>
    tensor(name, 'UINT32', '1', 'reshape: { shape: [ ] } optional: true'),
  );
  write(
    'preprocessing',
    `name: "preprocessing"
backend: "python"
max_batch_size: 128
input [ ${tensor('QUERY', 'STRING', '-1')}, ${tensor('BAD_WORDS_DICT', 'STRING', '-1')}, ${tensor('STOP_WORDS_DICT', 'STRING', '-1')}, ${tensor('REQUEST_OUTPUT_LEN', 'UINT32', '-1')} ]
output [ ${tensor('INPUT_ID', 'INT32', '-1')}, ${tensor('REQUEST_INPUT_LEN', 'INT32', '1')}, ${tensor('BAD_WORDS_IDS', 'INT32', '2, -1')}, ${tensor('STOP_WORDS_IDS', 'INT32', '2, -1')}, ${tensor('REQUEST_OUTPUT_LEN', 'UINT32', '-1')} ]
parameters { key: "tokenizer_dir" value: { string_value: "\${tokenizer_dir}" } }
parameters { key: "tokenizer_type" value: { string_value: "\${tokenizer_type}" } }
instance_group [ { count: 1 kind: KIND_CPU } ]
`,
  );
  write(
    'tensorrt_llm',
    `name: "tensorrt_llm"
backend: "tensorrtllm"
max_batch_size: 128
# decides whether answers can be streamed
model_transaction_policy {
  decoupled: \${decoupled_mode}
}
input [ ${tensor('input_ids', 'INT32', '-1')}, ${tensor('input_lengths', 'INT32', '1', 'reshape: { shape: [ ] }')}, ${tensor('request_output_len', 'UINT32', '1')}, ${optionalTensors.join(', ')}, ${tensor('stop', 'BOOL', '1', 'optional: true')}, ${tensor('streaming', 'BOOL', '1', 'optional: true')} ]
output [ ${tensor('output_ids', 'INT32', '-1, -1')} ]
instance_group [ { count: 1 kind : KIND_CPU } ]
parameters: { key: "max_beam_width" value: { string_value: "1" } }
parameters: { key: "FORCE_CPU_ONLY_INPUT_TENSORS" value: { string_value: "no" } }
parameters: { key: "gpt_model_type" value: { string_value: "inflight_fused_batching" } }
parameters: { key: "gpt_model_path" value: { string_value: "\${engine_dir}" } }
parameters: { key: "max_tokens_in_paged_kv_cache" value: { string_value: "\${max_tokens_in_paged_kv_cache}" } }
parameters: { key: "batch_scheduler_policy" value: { string_value: "\${batch_scheduler_policy}" } }
parameters: { key: "kv_cache_free_gpu_mem_fraction" value: { string_value: "\${kv_cache_free_gpu_mem_fraction}" } }
parameters: { key: "max_num_sequences" value: { string_value: "\${max_num_sequences}" } }
parameters: { key: "enable_trt_overlap" value: { string_value: "\${enable_trt_overlap}" } }
`,
  );
  write(
    'postprocessing',
    `name: "postprocessing"
backend: "python"
max_batch_size: 128
input [ ${tensor('TOKENS_BATCH', 'INT32', '-1, -1')} ]
output [ ${tensor('OUTPUT', 'STRING', '-1, -1')} ]
parameters { key: "tokenizer_dir" value: { string_value: "\${tokenizer_dir}" } }
`,
  );
  write(
    'ensemble',
    `name: "ensemble"
platform: "ensemble"
max_batch_size: 128
input [ ${tensor('text_input', 'STRING', '-1')}, ${tensor('max_tokens', 'UINT32', '-1')}, ${tensor('bad_words', 'STRING', '-1')}, ${tensor('stop_words', 'STRING', '-1')}, ${tensor('beam_width', 'UINT32', '1', 'optional: true')}, ${tensor('stream', 'BOOL', '1', 'optional: true')} ]
output [ ${tensor('text_output', 'STRING', '-1, -1')} ]
ensemble_scheduling {
  step [
    {
      model_name: "preprocessing"
      model_version: -1
      input_map { key: "QUERY" value: "text_input" }
      input_map { key: "REQUEST_OUTPUT_LEN" value: "max_tokens" }
      input_map { key: "BAD_WORDS_DICT" value: "bad_words" }
      input_map { key: "STOP_WORDS_DICT" value: "stop_words" }
      output_map { key: "REQUEST_INPUT_LEN" value: "_REQUEST_INPUT_LEN" }
      output_map { key: "INPUT_ID" value: "_INPUT_ID" }
      output_map { key: "REQUEST_OUTPUT_LEN" value: "_REQUEST_OUTPUT_LEN" }
    },
    {
      model_name: "tensorrt_llm"
      model_version: -1
      input_map { key: "input_ids" value: "_INPUT_ID" }
      input_map { key: "input_lengths" value: "_REQUEST_INPUT_LEN" }
      input_map { key: "request_output_len" value: "_REQUEST_OUTPUT_LEN" }
      input_map { key: "beam_width" value: "beam_width" }
      input_map { key: "streaming" value: "stream" }
      output_map { key: "output_ids" value: "_TOKENS_BATCH" }
    },
    {
      model_name: "postprocessing"
      model_version: -1
      input_map { key: "TOKENS_BATCH" value: "_TOKENS_BATCH" }
      output_map { key: "OUTPUT" value: "text_output" }
    }
  ]
}
`,
  );
}

describe('create and check', () => {
  test('what create writes has no finding and no placeholder', () => {
    expect(createRepository({ engineDirectory: engine, outputDirectory: repository })).toEqual([
      'ensemble',
      'preprocessing',
      'tensorrt_llm',
      'postprocessing',
      'tensorrt_llm_bls',
    ]);
    expect(messages()).toEqual([]);
    expect(readFileSync(configPath('ensemble'), 'utf8')).not.toContain('${');
    expect(() => createRepository({ engineDirectory: engine, outputDirectory: repository })).toThrow(
      /not empty/,
    );
    expect(() =>
      createRepository({ engineDirectory: directory, outputDirectory: join(directory, 'x') }),
    ).toThrow(/config.json is missing; make one with 'aloft build --output_dir .*'\.$/);
  });

  test('findings name file and line', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    setParameter('batch_scheduler_polcy', 'max_utilization');
    setParameter('max_num_sequences', 'many');
    const lines = readFileSync(configPath('tensorrt_llm'), 'utf8').split('\n');
    const lineOfValue = (value: string) =>
      lines.findIndex((line) => line.includes(`string_value: "${value}"`)) + 1;
    expect(messages()).toEqual(
      expect.arrayContaining([
        `tensorrt_llm/config.pbtxt:${lineOfValue('many')}: error: parameter 'max_num_sequences' is 'many', but must be an integer at least 1.`,
        expect.stringMatching(
          /: warning: parameter 'batch_scheduler_polcy' is unknown; did you mean 'batch_scheduler_policy'\?/,
        ),
      ]),
    );
  });

  test.each<[string, () => void, RegExp]>([
    [
      'syntax',
      () => edit('ensemble', (text) => `name: "ensemble"\n}\n${text}`),
      /ensemble\/config.pbtxt:2: error: /,
    ],
    [
      'unknown field',
      () => edit('ensemble', (text) => `\n\nnmae: "x"\n${text}`),
      /ensemble\/config.pbtxt:3: error: unknown field "nmae".*; did you mean name\?/,
    ],
    [
      'name',
      () => edit('ensemble', (text) => text.replace('name: "ensemble"', 'name: "other"')),
      /:1: error: name is 'other', but the directory is 'ensemble'/,
    ],
    [
      'no version',
      () => rmSync(join(repository, 'ensemble', '1'), { recursive: true }),
      /ensemble: error: no version directory/,
    ],
    [
      'missing member',
      () => rmSync(join(repository, 'postprocessing'), { recursive: true }),
      /in ensemble ensemble, step 'postprocessing' names a model that is not in the repository/,
    ],
    [
      'unmapped',
      () => edit('preprocessing', (text) => text.replace('name: "QUERY"', 'name: "QUERIES"')),
      /input_map of 'preprocessing' names 'QUERY', which is not an input/,
    ],
    [
      'type',
      () =>
        edit('ensemble', (text) =>
          text.replace(/(name: "text_input"\s+data_type: )TYPE_STRING/, '$1TYPE_FP32'),
        ),
      /inconsistent data type: 'text_input' is FP32/,
    ],
    [
      'engine',
      () => rmSync(engine, { recursive: true }),
      /tensorrt_llm\/config.pbtxt:\d+: error: no engine in '.*': config.json is missing/,
    ],
    [
      'backend',
      () =>
        edit('tensorrt_llm', (text) =>
          text.replace('"tensorrtllm"', '"onnxruntime"').replaceAll('input_ids', 'ids'),
        ),
      /backend 'onnxruntime' with these tensors is no model/,
    ],
    [
      'choice',
      () => edit('tensorrt_llm', (text) => text.replace('guaranteed_no_evict', 'sometimes')),
      /'batch_scheduler_policy' is 'sometimes', but must be one of guaranteed_no_evict, max_utilization/,
    ],
  ])('%s', (_, spoil, message) => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    spoil();
    expect(messages().join('\n')).toMatch(message);
  });

  test('every parameter that has no effect is named with its line and the reason', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const idle = Object.keys(WITHOUT_EFFECT.engine);
    for (const key of idle) setParameter(key, '37');
    const found = messages();
    expect(found).toHaveLength(idle.length);
    const lines = readFileSync(configPath('tensorrt_llm'), 'utf8').split('\n');
    for (const key of idle) {
      // The value stands two lines below its key.
      const line = lines.findIndex((text) => text.includes(`key: "${key}"`)) + 3;
      expect(found).toContainEqual(
        expect.stringMatching(
          new RegExp(
            `^tensorrt_llm/config.pbtxt:${line}: warning: parameter '${key}' has no effect: .{20,}\\.$`,
          ),
        ),
      );
    }
  });

  test('values that ask for what happens anyway are no finding', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    setParameter('enable_chunked_context', 'true');
    setParameter('gpu_weights_percent', '1.0');
    setParameter('num_nodes', '1');
    expect(messages()).toEqual([]);
  });

  test.each<[string, string, RegExp]>([
    ['instance_group [ { count: 4 kind: KIND_GPU } ]', 'count', /any number of requests at once/],
    ['instance_group [ { count: 1 kind: KIND_GPU gpus: [ 0, 1 ] } ]', 'gpus', /'gpu_device_ids' chooses/],
    ['dynamic_batching { preferred_batch_size: [ 4 ] }', 'preferred_batch_size', /at every step/],
    [
      'dynamic_batching { max_queue_delay_microseconds: 100 }',
      'max_queue_delay_microseconds',
      /at every step/,
    ],
    ['dynamic_batching { preserve_ordering: true }', 'preserve_ordering', /when they are complete/],
    [
      'dynamic_batching { default_queue_policy { timeout_action: DELAY } }',
      'timeout_action',
      /always refused/,
    ],
    ['optimization { priority: PRIORITY_MAX }', 'optimization', /when the engine is built/],
    ['response_cache { enable: true }', 'response_cache', /not answers/],
  ])('the field in %s has no effect', (field, name, reason) => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const block = new RegExp(`^${field.split(' ')[0]}[^]*?^[}\\]]\n`, 'm');
    edit('tensorrt_llm', (text) => `${text.replace(block, '')}\n${field}\n`);
    const line = readFileSync(configPath('tensorrt_llm'), 'utf8').trimEnd().split('\n').length;
    expect(messages()).toEqual([
      expect.stringMatching(
        new RegExp(
          `^tensorrt_llm/config.pbtxt:${line}: warning: '${name}' has no effect: .*${reason.source}`,
        ),
      ),
    ]);
  });

  test.each<[string, RegExp]>([
    ['priority_levels: 3', /:\d+: error: 'default_priority_level' is 0, but must be from 1 to .*, 3\.$/],
    [
      'default_priority_level: 2',
      /:\d+: error: 'default_priority_level' is 2, but there are no 'priority_levels'/,
    ],
    [
      'priority_levels: 3 default_priority_level: 2 priority_queue_policy { key: 4 value { max_queue_size: 1 } }',
      /:\d+: error: 'priority_queue_policy' has the key 4, but the priority_levels are 3\.$/,
    ],
  ])('impossible priorities: %s', (field, message) => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    edit('tensorrt_llm', (text) =>
      text
        .replace(/^ *default_priority_level: 2\n/m, '')
        .replace(/^ *priority_levels: 3\n/m, '')
        .replace(/default_queue_policy/, `${field}\n  default_queue_policy`),
    );
    expect(messages()).toEqual([expect.stringMatching(message)]);
  });

  test('parameters of the other models are checked, too', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const add = (model: string, key: string) =>
      edit(model, (text) => `${text}parameters { key: "${key}" value { string_value: "x" } }\n`);
    add('preprocessing', 'tokenizer_type');
    add('postprocessing', 'skip_special_token');
    add('tensorrt_llm_bls', 'tensorrt_llm_draft_model_name');
    add('ensemble', 'anything');
    expect(messages()).toEqual([
      expect.stringMatching(/^ensemble.*'anything' is unknown; it has no effect/),
      expect.stringMatching(/^postprocessing.*did you mean 'skip_special_tokens'/),
      expect.stringMatching(/^preprocessing.*'tokenizer_type' has no effect: the tokenizer's files/),
      expect.stringMatching(/^tensorrt_llm_bls.*has no effect: there is no speculative decoding/),
    ]);
  });

  test('placeholders of a template are named with file, line and key', () => {
    writeUpstream({ engine_dir: engine });
    const found = messages();
    expect(found).toContainEqual(
      expect.stringMatching(
        /^tensorrt_llm\/config.pbtxt:6: error: the template's placeholder \$\{decoupled_mode\} is not filled in/,
      ),
    );
    // An error is only what keeps the file from being read, and the ensemble reports only the root of its trouble.
    const errors = found.filter((message) => message.includes(': error:'));
    expect(errors.map((message) => message.replace(/:.*/s, ''))).toEqual([
      'ensemble/config.pbtxt',
      'tensorrt_llm/config.pbtxt',
    ]);
    expect(errors[0]).toMatch(/step 'tensorrt_llm' names a model that is not in the repository, or whose/);
    writeUpstream({ engine_dir: engine, decoupled_mode: 'True' });
    expect(messages().filter((message) => message.includes(': error:'))).toEqual([]);
    // Placeholders with a default are reported once for a file; those that only the user can know, each by itself.
    expect(messages().filter((message) => message.includes('placeholder'))).toEqual([
      expect.stringMatching(
        /^postprocessing.*:6: warning: the template's placeholder \$\{tokenizer_dir\} is not filled in, so it counts as unspecified/,
      ),
      expect.stringMatching(/^preprocessing.*:6: warning: the template's placeholder \$\{tokenizer_dir\} is/),
      'preprocessing/config.pbtxt:7: warning: 1 parameter is left as a placeholder and takes its default: tokenizer_type (line 7).',
      'tensorrt_llm/config.pbtxt:15: warning: 5 parameters are left as placeholders and take their defaults: max_tokens_in_paged_kv_cache, batch_scheduler_policy, kv_cache_free_gpu_mem_fraction, max_num_sequences, enable_trt_overlap (lines 15, 16, 17, 18, 19).',
    ]);
  });

  test('a template with many parameters gives few warnings, in one line or several, with comments between', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    for (const key of Object.keys(WITHOUT_EFFECT.engine)) setParameter(key, `\${${key}}`);
    setParameter('batching_strategy', 'before ${batching_strategy} after');
    edit('tensorrt_llm', (text) =>
      text.replaceAll(
        '  value: {\n    string_value: "${',
        '  # a ${comment}\n  value: {\n    string_value: "${',
      ),
    );
    const count = Object.keys(WITHOUT_EFFECT.engine).length + 1;
    expect(messages()).toEqual([
      expect.stringMatching(
        new RegExp(
          `: warning: ${count} parameters are left as placeholders .*, batching_strategy \\(lines \\d+, .*\\)\\.$`,
        ),
      ),
    ]);
  });

  test('optional inputs without a meaning are one warning, and one that must be sent is an error', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const input = (name: string, rest: string) =>
      `input { name: "${name}" data_type: TYPE_INT32 dims: [ 1 ] ${rest} }\n`;
    edit('tensorrt_llm', (text) => {
      const optional = ['draft_input_ids', 'lora_task_id'].map((name) => input(name, 'optional: true'));
      return `${text.trimEnd()}\n${optional.join('')}${input('prompt_vocab_size', '')}`;
    });
    const [first, second, third] = [3, 2, 1].map(
      (fromEnd) => readFileSync(configPath('tensorrt_llm'), 'utf8').split('\n').length - fromEnd,
    );
    expect(messages()).toEqual(
      expect.arrayContaining([
        `tensorrt_llm/config.pbtxt:${first}: warning: 2 optional inputs have no meaning here, so requests that send one are refused: draft_input_ids, lora_task_id (lines ${first}, ${second}).`,
        `tensorrt_llm/config.pbtxt:${third}: error: input 'prompt_vocab_size' has no meaning here; requests that send it are refused.`,
      ]),
    );
  });

  test('a placeholder that is no value of a parameter is reported by itself', () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    edit('tensorrt_llm', (text) => text.replace('backend: "tensorrtllm"', 'backend: "${triton_backend}"'));
    expect(messages().join('\n')).toMatch(
      /tensorrt_llm\/config.pbtxt:\d+: warning: the template's placeholder \$\{triton_backend\} is not filled in/,
    );
  });
});

describe('loading', () => {
  test('an ensemble of a member that cannot be read says why, and health names the member', async () => {
    writeUpstream({ engine_dir: engine });
    const { models } = await open();
    const because = /Model 'tensorrt_llm' loading failed with error: .*\$\{decoupled_mode\} is not filled in/;
    expect(models.index(false).find(({ name }) => name === 'ensemble')?.reason).toMatch(because);
    expect(models.notReadyReason()).toMatch(
      /^Model 'tensorrt_llm' version 1 is UNAVAILABLE: .*decoupled_mode/,
    );
    await models.close();
  });

  test('every parameter with an effect reaches the engine', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const given: Readonly<Record<string, string>> = {
      gpt_model_type: 'inflight_batching',
      batch_scheduler_policy: 'max_utilization',
      max_tokens_in_paged_kv_cache: '1234',
      kv_cache_free_gpu_mem_fraction: '0.25',
      kv_cache_host_memory_bytes: '1048576',
      max_num_sequences: '3',
      max_beam_width: '2',
      enable_kv_cache_reuse: 'false',
      enable_trt_overlap: 'True',
      exclude_input_in_output: 'true',
      gpu_device_ids: '1',
      tokenizer_dir: '/tokenizer',
    };
    edit('tensorrt_llm', (text) => {
      let changed = text;
      for (const key of Object.keys(given))
        changed = changed.replace(new RegExp(`^parameters: {\n  key: "${key}"[^]*?^}\n`, 'm'), '');
      return changed;
    });
    for (const [key, value] of Object.entries(given)) setParameter(key, value);
    edit('tensorrt_llm', (text) =>
      text
        .replace(/max_queue_size: \d+\n/, '')
        .replace(/(default_queue_policy:? \{)/, '$1 max_queue_size: 5 default_timeout_microseconds: 7000 '),
    );
    const { models, loader } = await open();
    expect(loader.settings[0]).toMatchObject({
      tokenizerDirectory: '/tokenizer',
      options: {
        batchingType: 'inflight_batching',
        policy: 'max_utilization',
        maxKvTokens: 1234,
        kvCacheFreeMemFraction: 0.25,
        hostKvBytes: 1_048_576,
        maxSequenceCount: 3,
        maxBeamWidth: 2,
        prefixReuse: false,
        overlap: true,
        gpu: 1,
        maxQueuedRequests: 5,
      },
    });
    expect(models.resolve('ensemble', '')).toMatchObject({
      excludeInput: true,
      queuePolicies: { ofAll: { timeoutMs: 7 } },
      priorities: { levelCount: 3, defaultLevel: 2 },
    });
    await models.close();
  });

  test('a filled upstream repository is served, decoupled as its engine', async () => {
    writeUpstream({
      engine_dir: engine,
      decoupled_mode: 'true',
      tokenizer_dir: '/tokenizer',
      tokenizer_type: 'llama',
      batch_scheduler_policy: 'max_utilization',
      max_tokens_in_paged_kv_cache: '2560',
      kv_cache_free_gpu_mem_fraction: '0.5',
      max_num_sequences: '4',
      enable_trt_overlap: 'False',
    });
    const { models, loader } = await open();
    expect(models.index(false).map((row) => [row.name, row.state])).toEqual(
      ['ensemble', 'postprocessing', 'preprocessing', 'tensorrt_llm'].map((name) => [name, 'READY']),
    );
    expect(loader.settings).toEqual([
      expect.objectContaining({
        engineDirectory: engine,
        tokenizerDirectory: '/tokenizer',
        options: {
          policy: 'max_utilization',
          batchingType: 'inflight_fused_batching',
          maxKvTokens: 2560,
          kvCacheFreeMemFraction: 0.5,
          maxSequenceCount: 4,
          maxBeamWidth: 1,
          overlap: false,
        },
      }),
    ]);
    const ensemble = models.resolve('ensemble', '');
    expect(ensemble).toMatchObject({ kind: 'ensemble', isDecoupled: true });
    expect(ensemble.interface.inputs.get('stop_words')).toMatchObject({
      field: 'stopWords',
      isOptional: true,
    });
    await models.close();
  });

  test('tensors may be renamed by the maps', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    edit('ensemble', (text) =>
      text.replaceAll('"text_input"', '"question"').replaceAll('"text_output"', '"answer"'),
    );
    const { models } = await open();
    const { inputs, outputs } = models.resolve('ensemble', '').interface;
    expect([inputs.get('question')?.field, outputs.get('answer')?.field]).toEqual(['text', 'text']);
    await models.close();
  });

  test('version policy, default version and each version with its own engine', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    for (const version of ['2', '3', '010', 'x']) mkdirSync(join(repository, 'tensorrt_llm', version));
    for (const version of ['1', '2', '3'])
      cpSync(join(engine, 'config.json'), join(repository, 'tensorrt_llm', version, 'config.json'));
    edit(
      'tensorrt_llm',
      (text) => text.replace(engine, '1') + '\nversion_policy { specific { versions: [ 1, 3 ] } }\n',
    );
    const { models, loader } = await open();
    expect(loader.settings.map((settings) => settings.engineDirectory)).toEqual(
      ['1', '3'].map((version) => join(repository, 'tensorrt_llm', version)),
    );
    expect(models.resolve('tensorrt_llm', '').version).toBe('3');
    expect(models.resolve('tensorrt_llm', '1').version).toBe('1');
    expect(() => models.resolve('tensorrt_llm', '2')).toThrow(/version 2 is not found/);
    await models.close();
  });

  test('several engines in one repository', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    cpSync(join(repository, 'tensorrt_llm'), join(repository, 'second'), { recursive: true });
    edit('second', (text) => text.replace('name: "tensorrt_llm"', 'name: "second"'));
    cpSync(join(repository, 'tensorrt_llm_bls'), join(repository, 'second_bls'), { recursive: true });
    edit('second_bls', (text) =>
      text
        .replace('name: "tensorrt_llm_bls"', 'name: "second_bls"')
        .replace('string_value: "tensorrt_llm"', 'string_value: "second"'),
    );
    const { models } = await open();
    const engineOf = (name: string) => {
      const model = models.resolve(name, '');
      return 'engine' in model ? model.engine.name : undefined;
    };
    expect([engineOf('second_bls'), engineOf('tensorrt_llm_bls'), engineOf('ensemble')]).toEqual([
      'second',
      'tensorrt_llm',
      'tensorrt_llm',
    ]);
    await models.close();
  });
});

test('a model whose name another directory or an engine of the command line has is named once', async () => {
  createRepository({ engineDirectory: engine, outputDirectory: repository });
  const other = join(directory, 'other');
  cpSync(join(repository, 'ensemble'), join(other, 'ensemble'), { recursive: true });
  const warnings: string[] = [];
  const log: Log = { ...SILENT_LOG, warning: (line) => warnings.push(line) };
  const memoryModels = engineModels(engine, undefined).filter(({ name }) => name === 'postprocessing');
  const options = { ...OPTIONS, directories: [repository, other], memoryModels };
  const models = new ModelRepository(
    { ...options, controlMode: 'poll', pollSeconds: 0.02 },
    new ScriptedLoader(),
    log,
  );
  await models.start();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await models.close();
  expect(warnings).toEqual([
    `${join(repository, 'postprocessing')} is not served: an engine of the command line has the name 'postprocessing', too; rename one of them.`,
    `${join(other, 'ensemble')} is not served: ${join(repository, 'ensemble')} has the name 'ensemble', too; rename one of them.`,
  ]);
});

describe('control modes', () => {
  test('none refuses load and unload', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const { models } = await open();
    await expect(models.load('ensemble')).rejects.toThrow(
      'explicit model load / unload is not allowed if polling is enabled; the mode of this server is none, start it with --model-control-mode explicit',
    );
    await models.close();
  });

  test('explicit loads what is asked for; an ensemble brings its members', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const { models, loader } = await open({ controlMode: 'explicit' });
    expect(models.index(false)).toContainEqual({ name: 'ensemble' });
    expect(models.notReadyReason()).toBeUndefined();
    await models.load('ensemble');
    expect(models.index(true).map((row) => row.name)).toEqual([
      'ensemble',
      'postprocessing',
      'preprocessing',
      'tensorrt_llm',
    ]);
    await models.unload('ensemble', true);
    expect(models.index(true)).toEqual([]);
    expect(loader.models.get('tensorrt_llm')?.isDisposed).toBe(true);
    await models.close();
  });

  test('a load of what is not there or has a fault in its files says so', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const { models } = await open({ controlMode: 'explicit' });
    const failure = async (name: string) => {
      const error: unknown = await models.load(name).catch((thrown: unknown) => thrown);
      return error instanceof AloftError ? [error.code, error.message.replace(`${repository}/`, '')] : error;
    };
    expect(await failure('ensembel')).toEqual([
      'MODEL_LOAD_FAILED',
      "failed to load 'ensembel', failed to poll from model repository: there is no such model; did you mean 'ensemble'?",
    ]);
    edit('postprocessing', (text) => `${text}\n}`);
    expect(await failure('postprocessing')).toEqual([
      'MODEL_LOAD_FAILED',
      expect.stringMatching(
        /^failed to load 'postprocessing', failed to poll from model repository: postprocessing\/config.pbtxt:\d+: error:/,
      ),
    ]);
    rmSync(join(repository, 'preprocessing', '1'), { recursive: true });
    expect(await failure('preprocessing')).toEqual([
      'MODEL_LOAD_FAILED',
      expect.stringMatching(
        /^failed to load 'preprocessing', no version is available: preprocessing: error:/,
      ),
    ]);
    setParameter('max_beam_width', 'wide');
    expect(await failure('tensorrt_llm')).toEqual([
      'REPOSITORY_INVALID',
      expect.stringMatching(/^load failed for model 'tensorrt_llm': version 1 is at UNAVAILABLE state: /),
    ]);
    await models.close();
  });

  test('what is loaded at start brings its members, and what is missing is named', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const { models } = await open({ controlMode: 'explicit', initialModels: ['ensemble'] });
    expect(models.notReadyReason()).toBeUndefined();
    expect(models.index(true).map((row) => row.name)).toContain('tensorrt_llm');
    await models.close();
    const { models: others } = await open({ controlMode: 'explicit', initialModels: ['ensembel'] });
    expect(others.notReadyReason()).toBe("Model 'ensembel' is not in the repository");
    await others.close();
  });

  test('poll follows the files', async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    const { models, loader } = await open({ controlMode: 'poll', pollSeconds: 0.02 });
    const before = loader.settings.length;
    setParameter('max_num_sequences', '3');
    await until(() => loader.settings.length > before);
    expect(loader.settings.at(-1)?.options.maxSequenceCount).toBe(3);
    await until(() => models.index(true).length === 5);
    rmSync(join(repository, 'tensorrt_llm_bls'), { recursive: true });
    await until(() => !models.index(false).some((row) => row.name === 'tensorrt_llm_bls'));
    await models.close();
  });
});

describe('a reload', () => {
  const start = async () => {
    createRepository({ engineDirectory: engine, outputDirectory: repository });
    return await open({ controlMode: 'explicit', initialModels: ['*'], drainMs: 5000 });
  };
  const engineOf = (models: ModelRepository, name = 'ensemble') => {
    const served = models.resolve(name, '');
    if ('codec' in served) throw new Error(`${name} has no engine.`);
    return served.engine;
  };

  test('swaps: the old engine serves until the new one does, and then finishes its requests', async () => {
    const { models, loader } = await start();
    const old = engineOf(models);
    let end: (() => void) | undefined;
    const request = { id: 'r', level: 0, startedMs: 0, promptTokenCount: 0, outputTokenCount: 0 };
    const rest = { maxOutputTokenCount: undefined, firstTokenMs: undefined, stop: () => undefined };
    end = old.active.add({ ...request, ...rest, fail: () => end?.() }, false);
    let open: (() => void) | undefined;
    loader.gate = new Promise((resolve) => (open = resolve));
    const loading = models.load('tensorrt_llm');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(engineOf(models)).toBe(old);
    expect(models.index(true).length).toBe(5);
    open?.();
    await loading;
    expect(engineOf(models)).not.toBe(old);
    expect(engineOf(models, 'tensorrt_llm')).toBe(engineOf(models));
    expect(old.active.count).toBe(1);
    end();
    await until(
      () => old.loaded !== undefined && (old.loaded as { isDisposed?: boolean }).isDisposed === true,
    );
    await models.close();
  });

  test.each([
    ['an engine that cannot be loaded', 'tensorrt_llm', (loader: ScriptedLoader) => fail(loader)],
    ['a config that cannot be read', 'tensorrt_llm', undefined],
    ['an ensemble whose config cannot be read', 'ensemble', undefined],
  ] as const)('of %s leaves what was served', async (_, name, prepare) => {
    const { models, loader } = await start();
    const old = engineOf(models);
    prepare?.(loader);
    const config = prepare === undefined ? 'name: "x" backend: {' : undefined;
    await expect(models.load(name, config)).rejects.toThrow(/failed/);
    if (prepare !== undefined || name === 'tensorrt_llm') expect(engineOf(models)).toBe(old);
    expect(models.index(true).length).toBe(5);
    expect(models.notReadyReason()).toBeUndefined();
    loader.failing.clear();
    await models.load(name);
    expect(models.index(true).length).toBe(5);
    await models.close();
  });

  const fail = (loader: ScriptedLoader) =>
    loader.failing.set('tensorrt_llm', new AloftError('ENGINE_CORRUPT', 'The load failed.'));

  test('checks first where memory does not hold both, and loads the old one again when the new one fails', async () => {
    const { models, loader } = await start();
    loader.capacity = 1;
    await models.load('tensorrt_llm');
    expect(loader.checkCount).toBe(1);
    expect(engineOf(models).loaded).toBe(loader.models.get('tensorrt_llm'));
    loader.failsAfterCheck = new AloftError('ENGINE_CORRUPT', 'The load failed.');
    await expect(models.load('tensorrt_llm')).rejects.toThrow(/The load failed/);
    expect(models.index(true).length).toBe(5);
    expect(engineOf(models).loaded).toBe(loader.models.get('tensorrt_llm'));
    await models.close();
  });
});
