/** The form that `aloft run` holds answers to. */
import { readFileSync } from 'node:fs';
import type { Constraint } from '../../core/constraint.js';
import { AloftError } from '../../core/errors.js';

export interface ConstraintFlags {
  /** A file. */
  readonly jsonSchema?: string;
  /** The pattern itself. */
  readonly regex?: string;
  /** A file. */
  readonly grammar?: string;
}

/** @throws {AloftError} USAGE for several forms, a file that cannot be read, and a schema that is no JSON */
export function readConstraintFlags({ jsonSchema, regex, grammar }: ConstraintFlags): Constraint | undefined {
  const given = Object.entries({ json_schema: jsonSchema, regex, grammar }).filter(([, value]) => value);
  if (given.length > 1)
    throw new AloftError(
      'USAGE',
      `${given.map(([name]) => `--${name}`).join(' and ')} were both given; use one of them.`,
    );
  if (regex !== undefined) return { type: 'regex', pattern: regex };
  if (grammar !== undefined) return { type: 'grammar', grammar: readText('--grammar', grammar) };
  if (jsonSchema === undefined) return undefined;
  const text = readText('--json_schema', jsonSchema);
  try {
    return { type: 'json_schema', schema: JSON.parse(text) as unknown };
  } catch (cause) {
    throw new AloftError(
      'USAGE',
      `--json_schema ${jsonSchema} is not valid JSON: ${(cause as Error).message}.`,
      {
        cause,
      },
    );
  }
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isMissing ? 'does not exist' : (cause as Error).message;
    throw new AloftError('USAGE', `${flag} ${path} cannot be read: ${reason}.`, { cause });
  }
}
