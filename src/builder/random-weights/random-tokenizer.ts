import { invariant } from '../../core/errors.js';

const SPECIAL = ['<unk>', '<s>', '</s>'];
const BYTE_COUNT = 256;
const FIRST_PRINTABLE = 0x21;
const LAST_PRINTABLE = 0x7e;

/** The smallest vocabulary that {@link randomTokenizer} can make. */
const MIN_VOCABULARY = 512;

/**
 * A tokenizer.json of `vocabulary` tokens in LLaMA's form: BPE over bytes and single characters with `▁` for spaces,
 * so that any text can be encoded; the rest of the vocabulary is filler words, so that random output can be read.
 */
export function randomTokenizer(vocabulary: number): unknown {
  invariant(vocabulary >= MIN_VOCABULARY, () => `a random tokenizer needs ${MIN_VOCABULARY} tokens or more`);
  const tokens = [...SPECIAL];
  for (let byte = 0; byte < BYTE_COUNT; byte++)
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  tokens.push('▁');
  for (let code = FIRST_PRINTABLE; code <= LAST_PRINTABLE; code++) tokens.push(String.fromCharCode(code));
  while (tokens.length < vocabulary) tokens.push(`▁w${tokens.length}`);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: '<s>', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '<s>', type_id: 1 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
}
