/** What is wrong or remarkable in a model repository. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1; undefined when the finding is about the whole file or directory. */
  readonly line: number | undefined;
  /** What is wrong and how to fix it. */
  readonly message: string;
}

export function formatFinding({ severity, file, line, message }: Finding): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${severity}: ${message}`;
}
