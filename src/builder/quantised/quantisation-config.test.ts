import { expect, test } from 'vitest';
import { int4Format } from '../../plan/weight-format.js';
import { JsonFile } from '../checkpoint/json-file.js';
import { parseModelConfig } from '../checkpoint/model-config.js';
import { chosenQuantisation, type QuantisationChoice } from '../quantisation-choice.js';
import { faultOf } from '../testing/fault.js';
import { TINY_CONFIG } from '../testing/tiny-checkpoint.js';

type Fields = Record<string, unknown>;
const parse = (quantization_config?: Fields) =>
  parseModelConfig(
    new JsonFile('m/config.json', { ...TINY_CONFIG, ...(quantization_config && { quantization_config }) }),
  );

const AWQ = { quant_method: 'awq', bits: 4, group_size: 128, version: 'gemm', zero_point: true };
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
  [{ quant_method: 'compressed-tensors' }, /weights quantised by compressed-tensors/],
  [{ quant_method: 'fp8' }, /weights quantised by fp8/],
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
])('says what is wrong with %j', (fields, message) => {
  const fault = faultOf(() => parse(fields));
  expect(fault.code).toBe('CHECKPOINT_CONFIG');
  expect(fault.message).toMatch(message);
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
