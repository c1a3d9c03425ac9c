/** Independent judges of answers: ajv, the regular expressions of JavaScript, and a recogniser of grammars. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Constraint } from '../../../core/constraint.js';
import { compileConstraint } from '../compile-constraint.js';
import { ReferenceGrammar } from './reference-grammar.js';
import { completed } from './shortest-answer.js';

/** @returns what is wrong with a value, as JSON; undefined for a valid one */
export function schemaFault(schema: unknown): (value: unknown) => string | undefined {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  // Older drafts differ in keywords that are refused; their descriptions of themselves are not there.
  const plain = typeof schema === 'object' ? { ...schema, $schema: undefined } : schema;
  const validate = ajv.compile(JSON.parse(JSON.stringify(plain)) as object);
  return (value) => (validate(value) ? undefined : JSON.stringify(validate.errors));
}

export interface Judge {
  isAnswer(text: string): boolean;
  /** Whether something that follows the text makes an answer of it. */
  isBeginning(text: string): boolean;
}

export function judgeOf(constraint: Constraint): Judge {
  if (constraint.type === 'grammar') {
    const reference = new ReferenceGrammar(constraint.grammar);
    return {
      isAnswer: (text) => reference.judge(text) === 'whole',
      isBeginning: (text) => reference.judge(text) !== 'wrong',
    };
  }
  const isAnswer = answerTest(constraint);
  const grammar = compileConstraint(constraint);
  return {
    isAnswer,
    isBeginning: (text) => {
      const whole = completed(grammar, text);
      return whole !== undefined && whole.startsWith(text) && isAnswer(whole);
    },
  };
}

function answerTest(constraint: Constraint): (text: string) => boolean {
  if (constraint.type === 'regex') {
    const expression = new RegExp(`^(?:${constraint.pattern})$`, 'u');
    return (text) => expression.test(text);
  }
  if (constraint.type !== 'json_schema') throw new Error(`nothing independent judges a ${constraint.type}`);
  const fault = schemaFault(constraint.schema);
  return (text) => {
    try {
      return fault(JSON.parse(text)) === undefined;
    } catch {
      return false;
    }
  };
}
