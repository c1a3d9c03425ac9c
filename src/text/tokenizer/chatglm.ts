/**
 * The tokenizer class of ChatGLM2 and ChatGLM3, whose code is not part of transformers: a SentencePiece model and further tokens
 * behind its pieces. Source: the published files, and `[gMASK] sop` in front of every prompt in "GLM-130B" (arXiv 2210.02414).
 */
import type { AddedToken } from './hf-json.js';
import { plainToken, type TokenFiles } from './token-files.js';

const TOKENS = ['[MASK]', '[gMASK]', '[sMASK]', 'sop', 'eop'] as const;
/** ChatGLM3 has them, too. */
const ROLES = ['<|system|>', '<|user|>', '<|assistant|>', '<|observation|>'] as const;

export const CHATGLM_ENDS: readonly string[] = ['[gMASK]', 'sop'];

export function isChatglm({ settings }: Pick<TokenFiles, 'settings'>): boolean {
  return settings['tokenizer_class'] === 'ChatGLMTokenizer';
}

/** ChatGLM2 and ChatGLM3 differ in nothing that the files have to name but a template or the model's name. */
function hasRoles({ settings, declared }: TokenFiles): boolean {
  const { chat_template: template, name_or_path: name } = settings;
  const mentioned = `${typeof template === 'string' ? template : ''} ${typeof name === 'string' ? name : ''}`;
  return declared.some(({ content }) => content === ROLES[1]) || /chatglm3|<\|user\|>/i.test(mentioned);
}

/** The files with all tokens of the class, which have the ids behind the pieces. */
export function withChatglmTokens(files: TokenFiles, pieceCount: number): TokenFiles {
  if (!isChatglm(files)) return files;
  const names = hasRoles(files) ? [...TOKENS, ...ROLES] : TOKENS;
  const own = names.map((content, i): AddedToken => ({
    ...plainToken(content, true),
    id: pieceCount + i,
    // Words such as 'philosophy' have these letters in them.
    single_word: /^\w+$/.test(content),
  }));
  const others = files.declared.filter(({ content }) => !own.some((token) => token.content === content));
  return { ...files, declared: [...own, ...others].toSorted((a, b) => a.id - b.id) };
}

/** Rounds of a question and an answer, as ChatGLM2 was trained on. */
const CHATGLM2_TEMPLATE = `[gMASK]sop{% for message in messages %}{% if message.role == 'user' %}[Round {{ loop.index0 // 2 + 1 }}]

问：{{ message.content }}

答：{% elif message.role == 'assistant' %}{{ message.content }}

{% else %}{{ raise_exception('ChatGLM2 knows messages of user and assistant only') }}{% endif %}{% endfor %}`;

/** A token for each role, as ChatGLM3 was trained on. */
const CHATGLM3_TEMPLATE = `[gMASK]sop{% for message in messages %}<|{{ message.role }}|>
 {{ message.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`;

/** The chat format of models that were published without a template. */
export function chatglmTemplate(files: TokenFiles): string | undefined {
  if (!isChatglm(files)) return undefined;
  return hasRoles(files) ? CHATGLM3_TEMPLATE : CHATGLM2_TEMPLATE;
}
