/** Courses of arguments that stand between tags, one by one. */
import type { Constraint, TextForm } from '../../core/constraint.js';
import { INPUT_ARGUMENT, type Tool } from '../../core/conversation.js';
import { AloftError } from '../../core/errors.js';
import type { ArgumentTags } from './call-format.js';
import type { CourseNodes } from './course-nodes.js';
import { isText } from './formats/tagged.js';

export interface TaggedPlace {
  readonly nodes: CourseNodes;
  readonly tags: ArgumentTags;
  /** Whether values must be valid under their schemas. */
  readonly isHeld: boolean;
  /** Node behind the arguments. */
  readonly to: number;
}

type Schema = Readonly<Record<string, unknown>>;

/**
 * Arguments in the order of the schema's properties, optional ones or not.
 * @returns the node before them
 * @throws {AloftError} REQUEST_INVALID for a text whose form cannot be kept between tags
 */
export function taggedArguments(tool: Tool, place: TaggedPlace): number {
  if (tool.input !== undefined) return taggedInput(tool, tool.input.form, place);
  const { nodes, tags, isHeld, to } = place;
  const { properties, required, $defs } = tool.parameters;
  const entries = Object.entries(isSchema(properties) ? properties : {});
  const isRequired = (name: string): boolean => Array.isArray(required) && required.includes(name);
  // Node before each argument, and one behind the last.
  const before = Array.from({ length: entries.length + 1 }, () => nodes.add());
  nodes.connect(before[entries.length]!, { text: '', to });
  for (const [i, [name, schema]] of entries.entries()) {
    const argument = { tool: tool.name, name, $defs };
    const constraint = constraintOf(isHeld ? schema : undefined, argument, tags);
    const value = nodes.add();
    nodes.connect(value, { text: tags.valueEnd, to: before[i + 1]! });
    const text = `${tags.keyBegin}${name}${tags.keyEnd}`;
    const whose = `schema of the argument '${name}' of the tool '${tool.name}'`;
    nodes.connect(before[i]!, { text, part: { type: 'constrained', constraint, whose }, to: value });
    if (!isRequired(name)) nodes.connect(before[i]!, { text: '', to: before[i + 1]! });
  }
  return before[0]!;
}

/** The input of a custom tool as the one argument. @returns the node before it */
function taggedInput({ name }: Tool, form: TextForm | undefined, { nodes, tags, to }: TaggedPlace): number {
  const { keyBegin, keyEnd, valueEnd, valuesAs } = tags;
  const [before, behind] = [nodes.add(), nodes.add()];
  const text = `${keyBegin}${INPUT_ARGUMENT}${keyEnd}`;
  const mark = valueEnd.trim();
  const input = { type: 'tool_input', tool: name, form } as const;
  if (valuesAs === 'text' && form === undefined) {
    // Free text takes its mark with it.
    nodes.connect(before, { text, part: { type: 'free', until: mark, mayEnd: false }, to: behind });
    nodes.connect(behind, { text: valueEnd.slice(valueEnd.indexOf(mark) + mark.length), to });
    return before;
  }
  const writtenAs = valuesAs === 'json' ? 'string' : { without: mark };
  nodes.connect(before, {
    text,
    part: { type: 'constrained', constraint: { ...input, writtenAs } },
    to: behind,
  });
  nodes.connect(behind, { text: valueEnd, to });
  return before;
}

/** Text without tags. */
const ANY_TEXT: Constraint = { type: 'regex', pattern: '[^<]*' };

function constraintOf(schema: unknown, place: ValuePlace, { valuesAs }: ArgumentTags): Constraint {
  if (valuesAs === 'json') return { type: 'json_schema', schema: withDefinitions(schema ?? true, place) };
  return schema === undefined ? ANY_TEXT : valueConstraint(schema, place);
}

interface ValuePlace {
  readonly tool: string;
  readonly name: string;
  readonly $defs: unknown;
}

function valueConstraint(schema: unknown, place: ValuePlace): Constraint {
  if (!isText(schema) || !isSchema(schema))
    return { type: 'json_schema', schema: withDefinitions(schema, place) };
  const { enum: values, const: only, pattern, format, minLength = 0, maxLength = '' } = schema;
  if (Array.isArray(values))
    return { type: 'choice', choices: values.filter((value) => typeof value === 'string') };
  if (typeof only === 'string') return { type: 'choice', choices: [only] };
  if (pattern !== undefined || format !== undefined)
    throw new AloftError(
      'REQUEST_INVALID',
      `The argument '${place.name}' of tool '${place.tool}' has a pattern or a format, which this model's calls cannot be held to; leave it out or use tool_choice 'auto'.`,
    );
  // A reader takes a line break at an end for a part of the tag.
  const character = minLength === 0 ? '[^<]' : '[^<\\n]';
  return { type: 'regex', pattern: `${character}{${minLength as number},${maxLength as number}}` };
}

function withDefinitions(schema: unknown, { $defs }: ValuePlace): unknown {
  return isSchema(schema) && $defs !== undefined ? { ...schema, $defs } : schema;
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
