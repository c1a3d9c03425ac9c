/** A fault or a remark about a model repository. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1; undefined when the finding is about the whole file or directory. */
  readonly line: number | undefined;
  /** Sentence that names the fault and the fix. */
  readonly message: string;
}

export function formatFinding({ severity, file, line, message }: Finding): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${severity}: ${message}`;
}

/** Names with their lines, for one finding about several parts of a file: `a, b (lines 3, 7)`. */
export function namesWithLines(
  parts: readonly { readonly name: string; readonly line: number | undefined }[],
): string {
  const lines = parts.flatMap(({ line }) => line ?? []);
  const places = lines.length === 0 ? '' : ` (line${lines.length === 1 ? '' : 's'} ${lines.join(', ')})`;
  return `${parts.map(({ name }) => name).join(', ')}${places}`;
}
