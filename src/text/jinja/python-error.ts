/** An exception that Python would raise, by the name of its class. */

export type PythonErrorType =
  | 'TemplateSyntaxError'
  | 'TemplateAssertionError'
  | 'TemplateRuntimeError'
  | 'TemplateError'
  | 'UndefinedError'
  | 'SecurityError'
  | 'FilterArgumentError'
  | 'RuntimeError'
  | 'SyntaxError'
  | 'AssertionError'
  | 'AttributeError'
  | 'IndexError'
  | 'KeyError'
  | 'NotImplementedError'
  | 'OverflowError'
  | 'TypeError'
  | 'ValueError'
  | 'ZeroDivisionError';

export class PythonError extends Error {
  readonly type: PythonErrorType;
  /** Line of the template, from 1, where it is known. */
  line: number | undefined;

  constructor(type: PythonErrorType, message: string, line?: number) {
    super(message);
    this.type = type;
    this.line = line;
  }

  override get name(): string {
    return this.type;
  }
}

export const typeError = (message: string): PythonError => new PythonError('TypeError', message);
export const valueError = (message: string): PythonError => new PythonError('ValueError', message);

/** The error for what Python has and this interpreter lacks. */
export const unsupported = (what: string): PythonError =>
  new PythonError('NotImplementedError', `${what} are not supported in chat templates`);
