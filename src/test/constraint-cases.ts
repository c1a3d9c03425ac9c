/** Many constraints, answered by an engine and judged by validators that share nothing with it. */
import type { Constraint } from '../core/constraint.js';
import type { LLM } from '../llm/llm.js';
import { CASE_SCHEMAS } from '../text/grammar/testing/case-schemas.js';
import { GRAMMARS } from '../text/grammar/testing/grammars.js';
import { PATTERNS } from '../text/grammar/testing/patterns.js';
import { judgeOf } from '../text/grammar/testing/validators.js';

export const CONSTRAINT_CASES: readonly Constraint[] = [
  ...CASE_SCHEMAS.map((schema): Constraint => ({ type: 'json_schema', schema })),
  ...PATTERNS.map((pattern): Constraint => ({ type: 'regex', pattern })),
  ...GRAMMARS.map((grammar): Constraint => ({ type: 'grammar', grammar })),
];

export interface CaseTally {
  /** Answers that ended by themselves, and those that were cut at the length. */
  ended: number;
  cut: number;
  /** Answers that a judge refuses. */
  readonly wrong: { readonly constraint: Constraint; readonly text: string; readonly finishReason: string }[];
}

export interface CaseOptions {
  readonly maxOutputTokens: number;
  /** Requests that run at the same time. */
  readonly parallel: number;
  /** Added to the logit of each token that ends with a closing sign, so that more answers end. */
  readonly endBias: number;
  readonly seed: number;
}

/** Answers each constraint once, with sampled tokens, and judges the answers. */
export async function answerCases(
  llm: LLM,
  constraints: readonly Constraint[],
  options: CaseOptions,
): Promise<CaseTally> {
  const tally: CaseTally = { ended: 0, cut: 0, wrong: [] };
  const logitBias = options.endBias === 0 ? {} : { logitBias: endBiases(llm, options.endBias) };
  const waiting = [...constraints.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, constraint] = next;
      const { text, finishReason } = await llm.complete({
        prompt: 'Once upon a time',
        temperature: 1,
        seed: BigInt(options.seed * 10_000 + index),
        maxOutputTokens: options.maxOutputTokens,
        constraint,
        ...logitBias,
      });
      judge(tally, { constraint, text, finishReason });
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  return tally;
}

function judge(tally: CaseTally, answer: CaseTally['wrong'][number]): void {
  const judged = judgeOf(answer.constraint);
  const isCut = answer.finishReason === 'length';
  // A cut in the middle of a character leaves the sign of a broken one.
  const isRight = isCut
    ? judged.isBeginning(answer.text.replace(/\ufffd+$/, ''))
    : judged.isAnswer(answer.text);
  if (isCut) tally.cut++;
  else tally.ended++;
  if (!isRight) tally.wrong.push(answer);
}

function endBiases(llm: LLM, bias: number): Record<number, number> {
  const { bytes, offsets, tokenCount } = llm.tokenizer.table;
  const closing = Buffer.from('"}])');
  const ids = Array.from({ length: tokenCount }, (_, id) => id).filter(
    (id) => offsets[id]! < offsets[id + 1]! && closing.includes(bytes[offsets[id + 1]! - 1]!),
  );
  return Object.fromEntries(ids.map((id) => [id, bias]));
}
