/** Ranges of numbers: whether a value is within one, and the words for it. */
import type { NumberRange } from './sampling-fields.js';

export function isWithin(value: unknown, range: NumberRange): value is number {
  const { isInteger = false, min = -Infinity, isOpen = false, max = Infinity } = range;
  if (typeof value !== 'number' || !Number.isFinite(value) || value > max) return false;
  if (isInteger && !Number.isInteger(value)) return false;
  return isOpen ? value > min : value >= min;
}

/** The range as the words after "must be". */
export function rangeText({ isInteger, min, isOpen, max }: NumberRange): string {
  const bounds = [
    ...(min === undefined ? [] : [isOpen ? `above ${min}` : `at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ];
  return [isInteger ? 'an integer' : 'a number', bounds.join(' and ')].filter(Boolean).join(' ');
}
