/** Inspections in words and tables. Pure. */
import type { RopeParams } from '../../plan/plan.js';
import { formatBytes, formatTable } from '../cli/terminal.js';
import type { BuiltMemory, Inspection, TokenizerFacts } from './inspection.js';

/** Memory of cards that a reader may have, in bytes. */
const CARDS = [24e9, 80e9];

/** @param source as the user named the model */
export function inspectionText(inspection: Inspection, source: string): string {
  const { path, kind, model, config, parameterCount, tokenizer, worldSizes, device } = inspection;
  const parameters = parameterCount === null ? '' : `${count(parameterCount)} parameters, `;
  const { architecture, layerCount, hidden, headCount, kvHeadCount, headDim, intermediate, vocabulary } =
    config;
  const rows = [
    ['model', `${model} (${architecture}), a ${kind} that 'aloft build' takes`],
    [
      'size',
      `${parameters}${layerCount} layers, hidden ${hidden}, ${headCount} heads (${kvHeadCount} key/value) of ${headDim}, FFN ${intermediate}, vocabulary ${vocabulary}`,
    ],
    ...(config.experts === undefined
      ? []
      : [['experts', `${config.experts.count} a layer, ${config.experts.perToken} a token`]]),
    ['context', `${config.maxPositions.toLocaleString('en-US')} tokens, ${ropeText(config.rope)}`],
    ['stored', storedText(inspection, source)],
    ...tokenizerRows(tokenizer),
    ['ranks', `${worldSizes.join(', ')} (--tp_size, --device ${device})`],
  ];
  const warnings = inspection.warnings.map((warning) => `\nWarning: ${warning}`).join('');
  return `${path}\n${formatTable(rows)}\n\n${memoryText(inspection.memory, device)}${warnings}\n`;
}

function storedText({ stored }: Inspection, source: string): string {
  if (stored === null)
    return `only the weights say in which types, and how many parameters; bring them with 'aloft pull ${source}'`;
  return stored
    .map(({ name, tensorCount, elements }) => `${name}: ${tensorCount} tensors, ${count(elements)} numbers`)
    .join('; ');
}

export function tokenizerRows(tokenizer: TokenizerFacts | string): string[][] {
  if (typeof tokenizer === 'string') return [['tokenizer', tokenizer]];
  const { tokenCount, bos = 'none', eos = 'none', hasChatTemplate, toolCalls, hasThoughts } = tokenizer;
  const chat = hasChatTemplate
    ? `has a template; tool calls: ${toolCalls ?? 'no known format'}; thoughts: ${hasThoughts ? 'yes' : 'no'}`
    : 'no template: chats are refused; put chat_template.jinja beside the tokenizer';
  return [
    ['tokenizer', `${tokenCount.toLocaleString('en-US')} tokens, begins with ${bos}, ends with ${eos}`],
    ['chat', chat],
  ];
}

function memoryText(memory: readonly BuiltMemory[], device: string): string {
  const head = [
    'built with',
    'weights',
    'KV a token',
    ...CARDS.map((bytes) => `tokens in ${bytes / 1e9} GB`),
  ];
  const rows = memory.map(({ flags, weightBytes, kvBytesPerToken }) => [
    flags === '' ? 'no flags' : flags,
    formatBytes(weightBytes),
    formatBytes(kvBytesPerToken),
    ...CARDS.map((bytes) =>
      weightBytes < bytes
        ? Math.floor((bytes - weightBytes) / kvBytesPerToken).toLocaleString('en-US')
        : 'too small',
    ),
  ]);
  return `Memory with --device ${device}, without workspace ('aloft plan-memory' has it):\n${formatTable([head, ...rows])}`;
}

function ropeText({ theta, scaling }: RopeParams): string {
  return `RoPE base ${theta.toLocaleString('en-US')}${scaling.type === 'none' ? '' : `, scaling ${scaling.type}`}`;
}

/** A number in the form in which sizes of models are given: `6.74 G`. */
function count(value: number): string {
  const [divisor, unit] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : [1e3, ' k'];
  return `${(value / divisor).toPrecision(3)}${unit}`;
}
