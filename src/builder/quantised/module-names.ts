import type { JsonFile } from '../checkpoint/json-file.js';

/** Begins a pattern that names of modules are matched with from their beginning, as compressed-tensors writes them. */
const PATTERN = 're:';

/** Modules that a field lists: their names, or patterns behind `re:`. The list may consist of lists. @throws {AloftError} CHECKPOINT_CONFIG */
export function moduleNames(section: JsonFile, field: string): readonly string[] {
  if (!section.has(field)) return [];
  const value = section.fields[field];
  const names: unknown[] = Array.isArray(value) ? value.flat() : [value];
  return names.every((name) => typeof name === 'string' && isName(name))
    ? (names as string[])
    : section.fail(field, 'a list of names or patterns');
}

function isName(name: string): boolean {
  try {
    return patternOf(name) !== null;
  } catch {
    return false; // no pattern, or one with a notation that Python alone has
  }
}

/** The pattern that a listed name is; undefined for a name. @throws SyntaxError for a faulty one */
function patternOf(name: string): RegExp | undefined {
  return name.startsWith(PATTERN) ? new RegExp(`^(?:${name.slice(PATTERN.length)})`) : undefined;
}

/** Whether a list has the module of a tensor: by its name or the last words of it, or by a pattern. */
export function listsModuleOf(tensor: string, modules: readonly string[]): boolean {
  const module = tensor.replace(/\.(weight|bias)$/, '');
  return modules.some((name) => patternOf(name)?.test(module) ?? `.${tensor}.`.includes(`.${name}.`));
}
