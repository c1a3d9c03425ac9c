/** Reads the result of an earlier run, with which a report compares. */
import { readFileSync } from 'node:fs';
import { type Static, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { AloftError } from '../../core/errors.js';

/** Schema of `MachineRecord`. */
export const MACHINE = Type.Object({
  cpu: Type.String(),
  coreCount: Type.Number(),
  gpu: Type.Union([Type.String(), Type.Null()]),
  memoryBytes: Type.Number(),
  node: Type.String(),
  commit: Type.String(),
  command: Type.Array(Type.String()),
  date: Type.String(),
});

/**
 * @param command The command whose `--json` writes such results
 * @throws {AloftError} USAGE when the file is no result of that command
 */
export function readEarlier<T extends TSchema>(path: string, schema: T, command: string): Static<T> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AloftError('USAGE', `--compare ${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  if (Value.Check(schema, value)) return value;
  const [fault] = Value.Errors(schema, value);
  throw new AloftError(
    'USAGE',
    `--compare ${path} is no result of '${command} --json': ${fault?.instancePath || 'the whole file'} ${fault?.message ?? 'differs'}.`,
  );
}
