/** Counts of a JSON text, in one pass over its characters and before anything is built from it. */
import { beyondLimit, REQUEST_LIMITS } from '../core/request-limits.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

/** Digits beyond which a double may not hold an integer. */
const WIDE_DIGITS = 16;

const { jsonDepth, jsonMembers, jsonValues } = REQUEST_LIMITS;

/** Counts of several texts together. */
export class JsonCounter {
  /** Thing that the counts are of, for refusals. */
  readonly #field: string;
  #memberCount = 0;
  #valueCount = 0;

  constructor(field: string) {
    this.#field = field;
  }

  /**
   * Counts levels, members and values outside of strings. The text need not be valid: the parser says so later.
   * @returns whether a number has 16 digits or more in a row
   * @throws {AloftError} REQUEST_INVALID when there are more than the limits allow
   */
  add(text: string): boolean {
    let depth = 0;
    let digitCount = 0;
    let hasWideNumber = false;
    this.#addValue();
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= ZERO && code <= NINE) {
        hasWideNumber ||= ++digitCount >= WIDE_DIGITS;
        continue;
      }
      digitCount = 0;
      if (code === QUOTE) i = endOfString(text, i);
      else if (code === COMMA) this.#addValue();
      else if (code === COLON) this.#addMember();
      else if (isOpening(code)) {
        this.#addValue();
        if (++depth > jsonDepth.max) throw beyondLimit('jsonDepth', this.#field);
      } else if (isClosing(code)) depth--;
    }
    return hasWideNumber;
  }

  #addValue(): void {
    if (++this.#valueCount > jsonValues.max) throw beyondLimit('jsonValues', this.#field);
  }

  #addMember(): void {
    if (++this.#memberCount > jsonMembers.max) throw beyondLimit('jsonMembers', this.#field);
  }
}

const isOpening = (code: number): boolean => code === 0x7b || code === 0x5b;
const isClosing = (code: number): boolean => code === 0x7d || code === 0x5d;

/** Index of the quote that ends the string which begins at `start`; the length of the text when none does. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slash = end;
    while (text.charCodeAt(slash - 1) === BACKSLASH && slash - 1 > start) slash--;
    if ((end - slash) % 2 === 0) return end;
  }
  return text.length;
}

/** A number of 16 digits or more without fraction and exponent, in valid JSON. */
export interface WideInteger {
  readonly start: number;
  readonly end: number;
}

/** Finds the wide integers of a valid JSON text, outside of strings. */
export function wideIntegers(text: string): WideInteger[] {
  const found: WideInteger[] = [];
  let i = 0;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i) + 1;
    else if (code === 0x2d || (code >= ZERO && code <= NINE)) {
      const end = endOfNumber(text, i);
      if (end - i >= WIDE_DIGITS && isWhole(text, i, end)) found.push({ start: i, end });
      i = end;
    } else i++;
  }
  return found;
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && isOfNumber(text.charCodeAt(end))) end++;
  return end;
}

/** Digits, sign, point and exponent. */
const isOfNumber = (code: number): boolean =>
  (code >= ZERO && code <= NINE) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x2e ||
  code === 0x45 ||
  code === 0x65;

function isWhole(text: string, start: number, end: number): boolean {
  for (let i = start + 1; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}
