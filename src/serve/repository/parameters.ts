/** Typed access to the `parameters` of a config.pbtxt. */
import type { EngineOption } from '../../core/engine-option-table.js';
import { suggestion } from '../../core/errors.js';
import { HONOURED, WITHOUT_EFFECT } from './parameter-catalogue.js';
import type { ModelKind } from '../tensors/model-kind.js';
import type { Finding } from './finding.js';
import { lineOfParameter, type ConfigFile } from './config-file.js';

/** Reads values, and collects a finding for each that is not usable; such a value counts as unspecified. */
export class ParameterReader {
  readonly findings: Finding[] = [];
  readonly #file: ConfigFile;

  constructor(file: ConfigFile) {
    this.#file = file;
  }

  /** The value, or undefined when missing, empty or an unfilled placeholder. */
  text(key: string): string | undefined {
    const value = this.#file.config.parameters[key]?.stringValue.trim();
    return value === undefined || value === '' || value.includes('${') ? undefined : value;
  }

  number(
    key: string,
    accept: { readonly minimum: number; readonly maximum?: number; readonly integer?: boolean },
  ): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    const { minimum, maximum = Infinity, integer = false } = accept;
    if (value >= minimum && value <= maximum && (!integer || Number.isInteger(value))) return value;
    const range = maximum === Infinity ? `at least ${minimum}` : `from ${minimum} to ${maximum}`;
    this.#reject(key, text, `${integer ? 'an integer' : 'a number'} ${range}`);
    return undefined;
  }

  boolean(key: string): boolean | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    if (/^(true|1)$/i.test(text)) return true;
    if (/^(false|0)$/i.test(text)) return false;
    this.#reject(key, text, 'true or false');
    return undefined;
  }

  choice<Value>(key: string, choices: Readonly<Record<string, Value>>): Value | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = Object.hasOwn(choices, text) ? choices[text] : undefined;
    if (value === undefined) this.#reject(key, text, `one of ${Object.keys(choices).join(', ')}`);
    return value;
  }

  /** Value of an engine option, from the first of its parameters that is set. */
  option({ parameters = [], values }: EngineOption): unknown {
    const key = parameters.find((parameter) => this.text(parameter) !== undefined);
    if (key === undefined) return undefined;
    switch (values.type) {
      case 'whole':
      case 'real': {
        const maximum = values.max ?? Infinity;
        return this.number(key, { minimum: values.min, maximum, integer: values.type === 'whole' });
      }
      case 'bytes':
        return this.number(key, { minimum: 0, integer: true });
      case 'switch':
      case 'onOff':
        return this.boolean(key);
      case 'choice':
        return this.choice(key, values.choices);
      case 'text':
        return this.text(key);
    }
  }

  /** A warning for each parameter that is set and has no effect, with the reason. */
  reportIdle(kind: ModelKind): void {
    const idle = WITHOUT_EFFECT[kind];
    const known = [...HONOURED[kind], ...Object.keys(idle)];
    for (const key of Object.keys(this.#file.config.parameters)) {
      if (HONOURED[kind].includes(key)) continue;
      const reason = Object.hasOwn(idle, key) ? idle[key] : undefined;
      if (reason === undefined) {
        const near = suggestion(key, known);
        const hint = near === undefined ? 'it has no effect' : `did you mean '${near}'?`;
        this.add('warning', key, `parameter '${key}' is unknown; ${hint}.`);
        continue;
      }
      const value = this.text(key);
      if (value === undefined || reason.settled?.test(value)) continue;
      this.add('warning', key, `parameter '${key}' has no effect: ${reason.why}.`);
    }
  }

  add(severity: Finding['severity'], key: string, message: string): void {
    this.findings.push({ severity, file: this.#file.path, line: lineOfParameter(this.#file, key), message });
  }

  #reject(key: string, text: string, wanted: string): void {
    this.add('error', key, `parameter '${key}' is '${text}', but must be ${wanted}.`);
  }
}
