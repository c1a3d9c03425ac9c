/** Checkpoints, tokenizers and chat templates from strangers: built, loaded and rendered in processes of their own. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRefusal, outcomeOf } from './engines.mjs';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const TOKENIZE = fileURLToPath(new URL('./tokenize.mjs', import.meta.url));
const DEMO = fileURLToPath(new URL('../../models/demo', import.meta.url));

const inJson = (name, change) => (folder) => {
  const path = join(folder, name);
  const json = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify(change(json) ?? json));
};
const config = (fields) => inJson('config.json', (json) => ({ ...json, ...fields }));
const write = (name, content) => (folder) => writeFileSync(join(folder, name), content);

/** A safetensors file with this header, over the data of the demo model. */
const header = (make) => (folder) => {
  const path = join(folder, 'model.safetensors');
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE());
  const made = make(JSON.parse(bytes.subarray(8, end).toString()), bytes.length - end);
  const text = Buffer.from(typeof made === 'string' ? made : JSON.stringify(made));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, bytes.subarray(end)]));
};
const entry = (change) =>
  header((json) => {
    const [first] = Object.keys(json).filter((name) => name !== '__metadata__');
    change(json[first], json);
    return json;
  });

/** A pickle in the place of weights; the archive around it is missing, or holds it alone. */
const pickle = (text) => (folder) => {
  unlinkSync(join(folder, 'model.safetensors'));
  writeFileSync(join(folder, 'pytorch_model.bin'), Buffer.from(text, 'latin1'));
};

const CHECKPOINTS = {
  'a million layers': config({ num_hidden_layers: 1e6 }),
  'a billion layers': config({ num_hidden_layers: 1e9 }),
  'half a layer': config({ num_hidden_layers: 0.5 }),
  'no layers': config({ num_hidden_layers: 0 }),
  'a hidden size of 2^40': config({ hidden_size: 2 ** 40 }),
  'a negative hidden size': config({ hidden_size: -256 }),
  'no heads': config({ num_attention_heads: 0 }),
  'a billion heads': config({ num_attention_heads: 1e9 }),
  'more key heads than heads': config({ num_key_value_heads: 64 }),
  'a head of 2^30': config({ head_dim: 2 ** 30 }),
  'a vocabulary of 2^31': config({ vocab_size: 2 ** 31 }),
  'positions beyond all numbers': config({ max_position_embeddings: 1e300 }),
  'an epsilon of a text': config({ rms_norm_eps: 'x' }),
  'a rope of NaN': (folder) =>
    write('config.json', readFileSync(join(folder, 'config.json'), 'utf8').replace('10000.0', 'NaN'))(folder),
  'an unknown scaling': config({ rope_scaling: { type: '__proto__', factor: 1e308 } }),
  'an activation with escapes': config({ hidden_act: '\u001b[31mred\n[Aloft] forged' }),
  'an architecture from the prototype': config({ architectures: ['constructor'] }),
  'a config of a list': write('config.json', '[]'),
  'a config of brackets': write('config.json', '['.repeat(1_000_000)),
  'a config that ends': write('config.json', '{"architectures": ["LlamaFor'),
  'an empty config': write('config.json', ''),
  'weights that end': (folder) => truncateSync(join(folder, 'model.safetensors'), 1_000_000),
  'weights of seven bytes': write('model.safetensors', '1234567'),
  'weights of a directory': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    mkdirSync(join(folder, 'model.safetensors'));
  },
  'weights of a pipe': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    spawnSync('mkfifo', [join(folder, 'model.safetensors')]);
  },
  'a header of brackets': header(() => '['.repeat(60_000_000)),
  'a header beyond the file': write('model.safetensors', Buffer.from('ffffffffffffff7f7b7d', 'hex')),
  'a header of no object': header(() => '3'),
  'metadata of a number': header((json) => ({ ...json, __metadata__: 3 })),
  'a tensor before the data': entry((tensor) => (tensor.data_offsets = [-8, 8])),
  'a tensor behind the data': entry((tensor) => (tensor.data_offsets[1] = 2 ** 50)),
  'a tensor that ends before it begins': entry((tensor) => {
    tensor.data_offsets = tensor.data_offsets.toReversed();
  }),
  'a tensor of another shape': entry((tensor) => tensor.shape.push(2)),
  'a tensor of 2^53 by 2^53': entry((tensor) => (tensor.shape = [2 ** 53, 2 ** 53])),
  'a tensor of an unknown type': entry((tensor) => (tensor.dtype = 'Q3_K')),
  'two tensors in one place': entry((tensor, json) => {
    const [, second] = Object.keys(json).filter((name) => name !== '__metadata__');
    json[second].data_offsets = [...tensor.data_offsets];
  }),
  'trailing bytes': (folder) => {
    const path = join(folder, 'model.safetensors');
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(100)]));
  },
  'an index that names another folder': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    write('model.safetensors.index.json', '{"weight_map":{"a":"../demo/model.safetensors"}}')(folder);
  },
  'an index that names its folder': (folder) => {
    rmSync(join(folder, 'model.safetensors'));
    write('model.safetensors.index.json', '{"weight_map":{"a":".."}}')(folder);
  },
  'a pickle that calls the system': pickle('\x80\x02cposix\nsystem\n(X\x04\x00\x00\x00truetR.'),
  'a pickle that is no archive': pickle('\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.'),
  'an archive that is none': pickle(`PK\x03\x04${'\xff'.repeat(400)}`),
};

const tokenizer = (change) => inJson('tokenizer.json', change);
const pattern = (Regex) =>
  tokenizer((json) => {
    json.pre_tokenizer = { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
  });
const template = (text) => write('chat_template.jinja', text);

const TEXTS = {
  'a pattern that doubles': pattern('(a+)+$'),
  'a pattern of alternatives': pattern('(a|aa)+$'),
  'a pattern of nested stars': pattern('(([a-z])*)*!'),
  'a pattern of spaces': pattern('(\\s*)*x'),
  'a pattern that cannot be read': pattern('(('),
  'a pattern of a million letters': pattern('a'.repeat(1_000_000)),
  'a pattern that repeats a billion times': pattern('a{1000000000}'),
  'an id of 2^31': tokenizer((json) => {
    json.added_tokens[0].id = 2 ** 31 - 1;
  }),
  'a vocabulary of negative ids': tokenizer((json) => {
    for (const key of Object.keys(json.model.vocab).slice(0, 5)) json.model.vocab[key] = -5;
  }),
  'an id of 2^23': tokenizer((json) => {
    json.model.vocab['zzzzzz'] = 2 ** 23;
  }),
  'a model of no type': tokenizer((json) => {
    json.model = { type: 'constructor' };
  }),
  'merges of nothing': tokenizer((json) => {
    json.model.merges = [['', ''], ['x']];
  }),
  'a decoder of itself': tokenizer((json) => {
    json.decoder = { type: 'Sequence', decoders: [{ type: 'Sequence', decoders: [] }] };
  }),
  'a tokenizer of brackets': write('tokenizer.json', '['.repeat(5_000_000)),
  'a tokenizer that ends': write('tokenizer.json', '{"version": "1.0", "model"'),
  'a sentencepiece of noise': (folder) => {
    rmSync(join(folder, 'tokenizer.json'));
    write('tokenizer.model', Buffer.alloc(100_000, Buffer.from([0x0a, 0xff, 0xff, 0x7f])))(folder);
  },
  'settings of a list': write('tokenizer_config.json', '[1]'),
  'a template without end': template(
    '{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}',
  ),
  'a range of billions': template('{% for a in range(3000000000) %}x{% endfor %}'),
  'a long list': template('{{ range(100000000) | list | length }}'),
  'a text that doubles': template(
    '{% set ns = namespace(t="x") %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t }}',
  ),
  'a text times a billion': template('{{ "x" * 1000000000 }}'),
  'a power of a power': template('{{ 9 ** 9 ** 9 }}'),
  'an indent of a million': template('{{ {"a": {"b": {"c": 1}}} | tojson(indent=1000000) }}'),
  'a width of a billion': template('{{ "x" | center(1000000000) }}'),
  'a format of a billion': template('{{ "%1000000000d" | format(1) }}'),
  'a macro that calls itself': template('{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'),
  'a loop that calls itself': template('{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}'),
  'the classes of Python': template('{{ "".__class__.__mro__[1].__subclasses__() }}'),
  'a constructor of JavaScript': template(
    '{{ messages.constructor.constructor("return process")().exit(9) }}',
  ),
  'the prototype': template('{{ messages.__proto__.x }}{% set messages.__proto__ = 1 %}'),
  'nested brackets': template(`{{ ${'['.repeat(100_000)}${']'.repeat(100_000)} }}`),
  'nested blocks': template('{% if 1 %}'.repeat(50_000) + '{% endif %}'.repeat(50_000)),
  'a template of 50 MB': template('x{{ messages }}'.repeat(3_500_000)),
  'a replacement that grows': template('{{ ("a" * 100000) | replace("", "b" * 100000) }}'),
};

/** @returns an entry for each file set; held: refused in one sentence, or of no harm, within the limit */
export async function attackWithCheckpoints(folder) {
  const entries = [];
  const copy = () => {
    const directory = join(folder, 'stranger');
    cpSync(DEMO, directory, { recursive: true, filter: (path) => !/training|heldout/.test(path) });
    return directory;
  };
  const attack = async (kind, name, prepare, words) => {
    const directory = copy();
    prepare(directory);
    const startMs = performance.now();
    const outcome = await outcomeOf(words(directory), 60_000);
    const seconds = Number(((performance.now() - startMs) / 1000).toFixed(1));
    entries.push({ kind, name, ...outcome, seconds, isHeld: outcome.end === 0 || isRefusal(outcome) });
    rmSync(directory, { recursive: true, force: true });
    rmSync(join(folder, 'built'), { recursive: true, force: true });
  };
  const built = join(folder, 'built');
  for (const [name, prepare] of Object.entries(CHECKPOINTS))
    await attack('checkpoint', name, prepare, (directory) => [
      ALOFT,
      'build',
      '--model_dir',
      directory,
      '--output_dir',
      built,
    ]);
  for (const [name, prepare] of Object.entries(TEXTS))
    await attack('text', name, prepare, (directory) => [TOKENIZE, directory]);
  return entries;
}
