/** The tokenizer in a GGUF file's metadata, as the files of a checkpoint. Pure. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { GgufFile, GgufValue } from './gguf-file.js';

/** Contents of files by name; why there are none, for people. */
export type TokenizerContents =
  | { readonly files: ReadonlyMap<string, string | Uint8Array> }
  | { readonly obstacle: string };

const TYPE = { NORMAL: 1, UNKNOWN: 2, CONTROL: 3, USER_DEFINED: 4, BYTE: 6 } as const;

/** Splits of text before byte pairs are joined, by `tokenizer.ggml.pre`. */
const wordsWithDigits = (digits: string): string =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const LLAMA3_WORDS = wordsWithDigits(String.raw`\p{N}{1,3}`);
const SPLITS: ReadonlyMap<string, string> = new Map([
  ['llama-bpe', LLAMA3_WORDS],
  ['llama3', LLAMA3_WORDS],
  ['llama-v3', LLAMA3_WORDS],
  ['qwen2', wordsWithDigits(String.raw`\p{N}`)],
]);

export function ggufTokenizer({ metadata }: GgufFile): TokenizerContents {
  const source = new TokenizerMetadata(metadata);
  const kind = source.text('model');
  if (kind === 'llama')
    return { files: filesOf(['tokenizer.model', sentencePiece(source)], configOf(source, true)) };
  const pre = source.text('pre') ?? '';
  const split = SPLITS.get(pre);
  if (kind === 'gpt2' && split !== undefined)
    return { files: filesOf(['tokenizer.json', bytePairs(source, split, pre)], configOf(source, false)) };
  const what = kind === 'gpt2' ? `the splits '${pre}'` : `the tokenizer '${kind ?? 'none'}'`;
  return { obstacle: `has ${what}, which cannot be read` };
}

type NamedContent = readonly [name: string, content: string | Uint8Array];

const filesOf = (...files: readonly NamedContent[]): ReadonlyMap<string, string | Uint8Array> =>
  new Map(files);

class TokenizerMetadata {
  readonly #metadata: ReadonlyMap<string, GgufValue>;

  constructor(metadata: ReadonlyMap<string, GgufValue>) {
    this.#metadata = metadata;
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === 'string' ? value : undefined;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#value(name);
    return typeof value === 'boolean' ? value : fallback;
  }

  texts(name: string): readonly string[] {
    return this.#list(name).map(String);
  }

  numbers(name: string): readonly number[] {
    return this.#list(name).map(Number);
  }

  /** Text of the token that has a role, such as `bos`. */
  token(role: string): string | undefined {
    const id = this.#value(`${role}_token_id`);
    return id === undefined ? undefined : this.texts('tokens')[Number(id)];
  }

  #value(name: string): GgufValue | undefined {
    return this.#metadata.get(`tokenizer.ggml.${name}`) ?? this.#metadata.get(`tokenizer.${name}`);
  }

  #list(name: string): readonly GgufValue[] {
    const value = this.#value(name);
    return Array.isArray(value) ? value : [];
  }
}

/** tokenizer_config.json. */
function configOf(source: TokenizerMetadata, isSentencePiece: boolean): NamedContent {
  const named = Object.fromEntries(
    (['bos', 'eos', 'unk'] as const).flatMap((role) => {
      const text = source.token(role === 'unk' ? 'unknown' : role);
      return text === undefined ? [] : [[`${role}_token`, text]];
    }),
  );
  const template = source.text('chat_template');
  const ends = {
    tokenizer_class: 'LlamaTokenizer',
    add_bos_token: source.flag('add_bos_token', true),
    add_eos_token: source.flag('add_eos_token', false),
  };
  const config = {
    ...named,
    ...(isSentencePiece ? ends : {}),
    ...(template === undefined ? {} : { chat_template: template }),
  };
  return ['tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`];
}

/** tokenizer.model, of SentencePiece's kind that joins pairs by score. Field numbers: sentencepiece_model.proto. */
function sentencePiece(source: TokenizerMetadata): Uint8Array {
  const [tokens, scores, types] = [
    source.texts('tokens'),
    source.numbers('scores'),
    source.numbers('token_type'),
  ];
  const writer = new BinaryWriter();
  for (const [id, token] of tokens.entries()) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(token);
    writer.tag(2, WireType.Bit32).float(scores[id] ?? 0);
    writer
      .tag(3, WireType.Varint)
      .int32(types[id] ?? TYPE.NORMAL)
      .join();
  }
  const idOf = (role: string): number => tokens.indexOf(source.token(role) ?? '\0');
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(3, WireType.Varint).int32(2); // joins pairs
  writer.tag(35, WireType.Varint).bool(types.includes(TYPE.BYTE));
  for (const [field, id] of [
    [40, types.indexOf(TYPE.UNKNOWN)],
    [41, idOf('bos')],
    [42, idOf('eos')],
    [43, idOf('padding')],
  ] as const)
    writer.tag(field, WireType.Varint).int32(id);
  writer.join();
  writer.tag(3, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string('identity');
  writer.tag(3, WireType.Varint).bool(source.flag('add_space_prefix', true));
  writer.tag(4, WireType.Varint).bool(false).tag(5, WireType.Varint).bool(true).join();
  return writer.finish();
}

/** tokenizer.json of byte pairs. */
function bytePairs(source: TokenizerMetadata, split: string, pre: string): string {
  const [tokens, types] = [source.texts('tokens'), source.numbers('token_type')];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const added = tokens.flatMap((content, id) => {
    const type = types[id] ?? TYPE.NORMAL;
    return type === TYPE.CONTROL || type === TYPE.USER_DEFINED
      ? [{ id, content, ...flags, special: type === TYPE.CONTROL }]
      : [];
  });
  const bos = source.token('bos');
  const hasBos = source.flag('add_bos_token', pre !== 'qwen2') && bos !== undefined;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: pre === 'qwen2' ? { type: 'NFC' } : null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: split }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: hasBos ? beginningWith(bos, tokens.indexOf(bos)) : null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: source.texts('merges').map((pair) => pair.split(' ')),
      ignore_merges: pre !== 'qwen2',
    },
  });
}

function beginningWith(token: string, id: number) {
  const first = { SpecialToken: { id: token, type_id: 0 } };
  const sequence = (name: string, type: number) => ({ Sequence: { id: name, type_id: type } });
  return {
    type: 'TemplateProcessing',
    single: [first, sequence('A', 0)],
    pair: [first, sequence('A', 0), sequence('B', 1)],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
