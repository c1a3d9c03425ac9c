/** The log and trace settings that clients may read and change while the server runs. */
import { AloftError, suggestion } from '../../core/errors.js';
import type { Log, LogFields } from '../../core/log.js';

export type LogSetting = string | boolean | number;
export type LogSettings = Readonly<Record<string, LogSetting>>;

const LOG_DEFAULTS = {
  log_file: '',
  log_info: true,
  log_warning: true,
  log_error: true,
  log_verbose_level: 0,
  log_format: 'default',
};

/** A log whose levels can be switched. */
export class SettableLog implements Log {
  #current: typeof LOG_DEFAULTS;
  readonly #target: Log;

  /** @param initial Where the settings differ from the defaults at first. */
  constructor(target: Log, initial: LogSettings = {}) {
    this.#target = target;
    this.#current = { ...LOG_DEFAULTS, ...initial };
  }

  get isVerbose(): boolean {
    return this.#current.log_verbose_level > 0;
  }

  get settings(): LogSettings {
    return { ...this.#current };
  }

  /** @throws {AloftError} REQUEST_INVALID; then nothing is changed. */
  update(changes: LogSettings): void {
    for (const [key, value] of Object.entries(changes)) {
      if (key === 'log_file') throw fault('log file location can not be updated through network protocol');
      if (!Object.hasOwn(LOG_DEFAULTS, key)) throw unknown('log', key, Object.keys(LOG_DEFAULTS));
      const wanted = typeof LOG_DEFAULTS[key as keyof typeof LOG_DEFAULTS];
      if (typeof value !== wanted) throw fault(`log setting '${key}' must be a ${wanted}`);
      if (key === 'log_format') this.#checkFormat(value);
      if (typeof value === 'number' && (!Number.isInteger(value) || value < 0))
        throw fault(`'${key}' must be a count`);
    }
    this.#current = { ...this.#current, ...changes };
  }

  error(message: string, fields?: LogFields): void {
    if (this.#current.log_error) this.#target.error(this.#stamped(message), fields);
  }
  warning(message: string, fields?: LogFields): void {
    if (this.#current.log_warning) this.#target.warning(this.#stamped(message), fields);
  }
  info(message: string, fields?: LogFields): void {
    if (this.#current.log_info) this.#target.info(this.#stamped(message), fields);
  }
  verbose(message: string, fields?: LogFields): void {
    if (this.isVerbose) this.#target.verbose(this.#stamped(message), fields);
  }

  /** @throws {AloftError} REQUEST_INVALID */
  #checkFormat(value: LogSetting): void {
    if (this.#current.log_format === 'json' && value !== 'json')
      throw fault(`log setting 'log_format' stays json: the server was started with --log-format json`);
    if (this.#current.log_format !== 'json' && value !== 'default' && value !== 'ISO8601')
      throw fault(`log setting 'log_format' must be default or ISO8601`);
  }

  /** The default has month, day and time, as Triton's lines do; lines of JSON have a member of their own for it. */
  #stamped(message: string): string {
    if (this.#current.log_format === 'json') return message;
    const iso = new Date().toISOString();
    if (this.#current.log_format === 'ISO8601') return `${iso} ${message}`;
    return `${iso.slice(5, 7)}${iso.slice(8, 10)} ${iso.slice(11, 23)} ${message}`;
  }
}

export type TraceSettings = Readonly<Record<string, readonly string[]>>;

/** Requests are traced through the OpenTelemetry API; where nothing takes the traces that costs and does nothing. */
const TRACE_DEFAULTS: TraceSettings = {
  trace_file: [''],
  trace_level: ['TIMESTAMPS'],
  trace_rate: ['1'],
  trace_count: ['-1'],
  log_frequency: ['0'],
  trace_mode: ['opentelemetry'],
};

const TRACE_LEVELS = ['OFF', 'TIMESTAMPS', 'TENSORS'];

export class TraceControl {
  #global: TraceSettings = TRACE_DEFAULTS;
  readonly #byModel = new Map<string, TraceSettings>();
  #requestCount = 0;
  #tracedCount = 0;

  /** @throws {AloftError} REQUEST_INVALID @param initial Where the settings differ from the defaults at first. */
  constructor(initial: TraceSettings = {}) {
    this.update('', initial);
  }

  /** @param model Empty: the settings of all models. */
  settings(model: string): TraceSettings {
    return { ...this.#global, ...this.#byModel.get(model) };
  }

  /**
   * @param changes A null value goes back to the default, or for a model to the settings of all.
   * @throws {AloftError} REQUEST_INVALID; then nothing is changed.
   */
  update(model: string, changes: Readonly<Record<string, readonly string[] | null>>): void {
    for (const [key, value] of Object.entries(changes)) checkTrace(key, value);
    const own = { ...(model === '' ? this.#global : this.#byModel.get(model)) };
    for (const [key, value] of Object.entries(changes)) {
      if (value !== null) own[key] = value;
      else if (model === '') own[key] = TRACE_DEFAULTS[key]!;
      else delete own[key];
    }
    if (model === '') this.#global = own;
    else this.#byModel.set(model, own);
  }

  /** Returns true if the next request of this model is traced. */
  takeSample(model: string): boolean {
    const { trace_level: level, trace_rate: rate, trace_count: count } = this.settings(model);
    if (level?.includes('OFF')) return false;
    const limit = Number(count?.[0]);
    if (limit >= 0 && this.#tracedCount >= limit) return false;
    if (this.#requestCount++ % Math.max(1, Number(rate?.[0])) !== 0) return false;
    this.#tracedCount++;
    return true;
  }
}

function checkTrace(key: string, value: readonly string[] | null): void {
  if (!Object.hasOwn(TRACE_DEFAULTS, key)) throw unknown('trace', key, Object.keys(TRACE_DEFAULTS));
  if (key === 'trace_file') throw fault('trace file location can not be updated through network protocol');
  if (value === null) return;
  const wrongLevel = key === 'trace_level' && value.find((level) => !TRACE_LEVELS.includes(level));
  if (wrongLevel !== undefined && wrongLevel !== false)
    throw fault(`trace_level '${wrongLevel}' is not one of ${TRACE_LEVELS.join(', ')}`);
  const isCount = ['trace_rate', 'trace_count', 'log_frequency'].includes(key);
  if (isCount && !/^-?\d+$/.test(value[0] ?? ''))
    throw fault(`${key} must be a number, but is '${value[0] ?? ''}'`);
}

function unknown(kind: string, key: string, known: readonly string[]): AloftError {
  const near = suggestion(key, known);
  return fault(`unexpected ${kind} setting '${key}'${near === undefined ? '' : `; did you mean '${near}'?`}`);
}

function fault(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}
