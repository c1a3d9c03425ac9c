/** `range(start, stop, step)` */
import { PythonError } from '../python-error.js';
import { PythonObject, type Value } from './value.js';

/** As the sandbox has it. */
const MAX_RANGE = 100_000;

export class Range extends PythonObject {
  readonly typeName = 'range';
  readonly start: number;
  readonly stop: number;
  readonly step: number;

  /** @throws {PythonError} for a step of 0, and for more than 100,000 items */
  constructor(start: number, stop: number, step: number) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
    if (step === 0) throw new PythonError('ValueError', 'range() arg 3 must not be zero');
    if (this.size > MAX_RANGE)
      throw new PythonError(
        'OverflowError',
        `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`,
      );
  }

  override isTrue(): boolean {
    return this.size > 0;
  }

  override get size(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }

  at(index: number): Value {
    return this.start + index * this.step;
  }

  override *iterate(): Generator<Value> {
    for (let i = 0; i < this.size; i++) yield this.at(i);
  }

  override attribute(name: string): Value | undefined {
    return name === 'start' || name === 'stop' || name === 'step' ? this[name] : undefined;
  }

  override repr(): string {
    const step = this.step === 1 ? '' : `, ${this.step}`;
    return `range(${this.start}, ${this.stop}${step})`;
  }
}
