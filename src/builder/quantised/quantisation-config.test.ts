import { expect, test } from 'vitest';
import { FP8_PER_CHANNEL, int4Format } from '../../plan/weight-format.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { chosenQuantisation, type QuantisationChoice } from '../quantisation-choice.js';
import { listsModuleOf } from './module-names.js';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG } from '../testing/tiny-checkpoint.js';

type Fields = Record<string, unknown>;
const parse = (quantization_config?: Fields) =>
  parseModelConfig(
    new JsonFile('m/config.json', { ...TINY_CONFIG, ...(quantization_config && { quantization_config }) }),
  );

const AWQ = { quant_method: 'awq', bits: 4, group_size: 128, version: 'gemm', zero_point: true };
const FP8 = { quant_method: 'fp8', activation_scheme: 'dynamic' };
/** compressed-tensors, with what its only group has in other ways. */
function compressed(group: Fields = {}, more: Fields = {}): Fields {
  const number = { num_bits: 8, type: 'float', symmetric: true };
  const weights = { ...number, strategy: 'channel', dynamic: false };
  const inputs = { ...number, strategy: 'token', dynamic: true };
  const whole = { targets: ['Linear'], weights, input_activations: inputs, output_activations: null };
  return {
    quant_method: 'compressed-tensors',
    format: 'float-quantized',
    config_groups: { group_0: { ...whole, ...group } },
    ignore: ['lm_head'],
    ...more,
  };
}
const NUMBER = { num_bits: 8, type: 'float', strategy: 'tensor' };
const GPTQ = { quant_method: 'gptq', bits: 4, group_size: 128 };

test.each<[Fields, Fields]>([
  [AWQ, { method: 'awq', format: int4Format(128, true), storedGroup: 128, zeroOffset: 0, except: [] }],
  [
    { quant_method: 'awq', w_bit: 4, q_group_size: 64, version: 'GEMM', modules_to_not_convert: ['gate'] },
    { format: int4Format(64, true), storedGroup: 64, except: ['gate'] },
  ],
  [GPTQ, { method: 'gptq', format: int4Format(128, false), storedGroup: 128, zeroOffset: 1 }],
  [
    { ...GPTQ, sym: false, group_size: 32 },
    { format: int4Format(32, true), storedGroup: 32 },
  ],
  [
    { ...GPTQ, checkpoint_format: 'gptq_v2', lm_head: true },
    { zeroOffset: 0, parts: new Set(['layers', 'lm_head']) },
  ],
  [
    { ...GPTQ, group_size: -1 },
    { format: int4Format(128, false), storedGroup: null },
  ],
  [
    { ...GPTQ, desc_act: true },
    { format: int4Format(128, false, true), storedGroup: 128 },
  ],
  [
    { ...GPTQ, desc_act: true, group_size: -1 },
    { format: int4Format(128, false), storedGroup: null },
  ],
  [
    { ...GPTQ, group_size: 1024 },
    { format: int4Format(128, false), storedGroup: 1024 },
  ],
  [
    { ...GPTQ, modules_in_block_to_quantize: [['self_attn.q_proj'], ['mlp.down_proj']] },
    { only: ['self_attn.q_proj', 'mlp.down_proj'] },
  ],
  [
    { ...FP8, ignored_layers: ['lm_head'] },
    { method: 'fp8', format: FP8_PER_CHANNEL, parts: new Set(['layers']), except: ['lm_head'] },
  ],
  [{ quant_method: 'fp8', modules_to_not_convert: ['a'], ignored_layers: null }, { except: ['a'] }],
  [
    compressed(),
    {
      method: 'compressed-tensors',
      format: FP8_PER_CHANNEL,
      parts: new Set(['layers', 'lm_head']),
      except: ['lm_head', 'embed_tokens', 'word_embeddings'],
    },
  ],
  [compressed({ weights: NUMBER, input_activations: null }), { method: 'compressed-tensors' }],
])('reads %j', (fields, expected) => {
  expect(parse(fields).quantisation).toMatchObject(expected);
});

test('a dense checkpoint names none', () => {
  expect(parse()).not.toHaveProperty('quantisation');
});

test.each<[Fields, RegExp]>([
  [{ ...GPTQ, bits: 3 }, /weights of 3 bits, which is not supported. Use one of AWQ or GPTQ with 4 bits/],
  [{ ...GPTQ, bits: 8 }, /weights of 8 bits/],
  [{ ...AWQ, bits: 2 }, /weights of 2 bits/],
  [{ ...GPTQ, group_size: 96 }, /groups of 96 inputs \(they can be 128, 64, 32, multiples of 128, or -1\)/],
  [{ ...GPTQ, group_size: 16 }, /groups of 16 inputs/],
  [{ ...GPTQ, group_size: 0 }, /groups of 0 inputs/],
  [{ ...GPTQ, checkpoint_format: 'marlin' }, /GPTQ's arrangement 'marlin'/],
  [{ ...GPTQ, dynamic: { '-:.*mlp.*': {} } }, /modules that are quantised in different ways/],
  [{ ...AWQ, version: 'gemv' }, /AWQ's arrangement 'gemv'/],
  [{ quant_method: 'bitsandbytes' }, /weights quantised by bitsandbytes/],
  [
    { ...FP8, weight_block_size: [128, 128] },
    /scales of blocks of weights \('weight_block_size'\), which is not/,
  ],
  [
    { ...FP8, activation_scheme: 'static' },
    /inputs that are rounded with scales of the checkpoint \('activation/,
  ],
  [{ ...FP8, fmt: 'e5m2' }, /FP8 numbers of the type e5m2/],
  [{ ...FP8, kv_cache_scheme: NUMBER }, /scales of the KV cache \('kv_cache_scheme'\)/],
  [compressed({}, { format: 'pack-quantized' }), /the format 'pack-quantized' of compressed-tensors/],
  [compressed({}, { format: 'nvfp4-pack-quantized' }), /the format 'nvfp4-pack-quantized'/],
  [compressed({}, { config_groups: {} }), /quantised in 0 ways \('config_groups'\)/],
  [compressed({ targets: ['re:.*mlp.*'] }), /weights of some modules alone \('targets' re:\.\*mlp/],
  [compressed({ weights: null }), /dense weights by rounded inputs/],
  [compressed({ weights: { ...NUMBER, strategy: 'block' } }), /scales of blocks of weights/],
  [compressed({ weights: { ...NUMBER, strategy: 'group' } }), /weights with a scale for each 'group'/],
  [compressed({ weights: { ...NUMBER, type: 'int' } }), /weights of the type int with 8 bits/],
  [compressed({ weights: { ...NUMBER, symmetric: false } }), /weights with zeros/],
  [
    compressed({ input_activations: { ...NUMBER, dynamic: false } }),
    /scales of the checkpoint \('dynamic' is/,
  ],
  [compressed({ output_activations: NUMBER }), /rounded results \('output_activations'\)/],
  [compressed({}, { sparsity_config: { format: 'sparse-24-bitmask' } }), /sparse weights/],
  [{ bits: 4 }, /weights quantised by a method that it does not name/],
])('refuses %j', (fields, message) => {
  const fault = faultOf(() => parse(fields));
  expect(fault.code).toBe('UNSUPPORTED');
  expect(fault.message).toMatch(message);
  expect(fault.message).toMatch(/^m\/config\.json: /);
});

test.each<[Fields, RegExp]>([
  [{ quant_method: 'gptq' }, /'bits' is missing/],
  [{ ...GPTQ, sym: 'yes' }, /'sym' is "yes", but must be true or false/],
  [{ ...AWQ, modules_to_not_convert: [1] }, /'modules_to_not_convert' is \[1\], but must be a list of names/],
  [
    compressed({}, { ignore: ['re:(?P<layer>.*)'] }),
    /'ignore' is .*, but must be a list of names or patterns/,
  ],
])('says what is wrong with %j', (fields, message) => {
  const fault = faultOf(() => parse(fields));
  expect(fault.code).toBe('CHECKPOINT_CONFIG');
  expect(fault.message).toMatch(message);
});

test('names a module by its last words, or by a pattern from its beginning on', () => {
  const tensor = 'model.layers.12.mlp.down_proj.weight';
  for (const name of ['mlp.down_proj', 'layers.12', 're:.*down_proj$', 're:model\\.layers\\.1[0-9]'])
    expect(listsModuleOf(tensor, ['other', name]), name).toBe(true);
  for (const name of ['down', 'layers.1', 're:down_proj', 're:.*weight$'])
    expect(listsModuleOf(tensor, [name]), name).toBe(false);
});

test('rounds inputs of FP8 weights alone', () => {
  const rounded = { weights: 'checkpoint', inputBits: 8 } as const;
  const fp8 = parse(FP8);
  expect(chosenQuantisation(rounded, fp8)).toEqual({ ...fp8.quantisation, inputBits: 8 });
  const messageOf = (fields?: Fields) => faultOf(() => chosenQuantisation(rounded, parse(fields))).message;
  expect(messageOf(AWQ)).toMatch(
    /--fp8_activations needs FP8 weights, but these are int4 per 128 inputs with zeros/,
  );
  expect(messageOf()).toMatch(/but these are dense\. Add --quantization fp8, or name an FP8 checkpoint/);
});

test('a build takes what the checkpoint has unless it is told otherwise', () => {
  const [awq, dense] = [parse(AWQ), parse()];
  const own = { format: int4Format(64, false), parts: new Set(['layers'] as const) };
  for (const choice of ['checkpoint', 'quantised', 'awq'] as const)
    expect(chosenQuantisation(choice, awq)).toBe(awq.quantisation);
  expect(chosenQuantisation('checkpoint', dense)).toBeNull();
  expect(chosenQuantisation('none', awq)).toBeNull();
  expect(chosenQuantisation(own, awq)).toBe(own);
});

test.each<[QuantisationChoice, Fields | undefined, RegExp]>([
  ['gptq', AWQ, /quantised by gptq, but m\/config.json names awq \(int4 per 128 inputs with zeros\)/],
  ['awq', undefined, /quantised by awq, but m\/config.json names no quantisation. Name another/],
  ['quantised', undefined, /quantised, but m\/config.json names no quantisation/],
])('refuses a checkpoint that is not %s', (choice, fields, message) => {
  const fault = faultOf(() => chosenQuantisation(choice, parse(fields)));
  expect(fault.code).toBe('UNSUPPORTED');
  expect(fault.message).toMatch(message);
});
