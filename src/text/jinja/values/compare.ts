/** `==`, `<` and `in` */
import { typeError } from '../python-error.js';
import type { Rendering } from './callable.js';
import { type AnyDict, dictGet, dictPairs, DictView, isDict } from './dict.js';
import { itemsOf, listOf, sizeOf, tryIterate } from './iterate.js';
import { numberOf } from './numbers.js';
import { Range } from './range.js';
import { compareTexts } from './text.js';
import { isList, asText, Tuple, typeName, Undefined, type Value } from './value.js';

export function equals(rendering: Rendering, a: Value, b: Value): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    if (a.length !== b.length) return false;
    rendering.read(a.length);
    return a === b;
  }
  if (a === b) return true;
  if (a === null || b === null) return false;
  const [text, otherText] = [asText(a), asText(b)];
  if (text !== undefined || otherText !== undefined) return text === otherText;
  const [number, otherNumber] = [numberOf(a), numberOf(b)];
  // Loose equality compares numbers with big integers by value.
  // oxlint-disable-next-line eslint/eqeqeq
  if (number && otherNumber) return number.value == otherNumber.value;
  return equalObjects(rendering, a, b);
}

function equalObjects(rendering: Rendering, a: Value, b: Value): boolean {
  if (isList(a) && isList(b)) return equalLists(rendering, a, b);
  if (a instanceof Tuple && b instanceof Tuple) return equalLists(rendering, a.items, b.items);
  if (isDict(a) && isDict(b)) return equalDicts(rendering, a, b);
  if (a instanceof Range && b instanceof Range)
    return equalLists(rendering, [...itemsOf(rendering, a)], [...itemsOf(rendering, b)]);
  if (a instanceof DictView && b instanceof DictView) return equalViews(rendering, a, b);
  return a instanceof Undefined && b instanceof Undefined;
}

/** Views of keys and items are sets; those of values are equal to nothing else. */
function equalViews(rendering: Rendering, a: DictView, b: DictView): boolean {
  if (a.kind !== b.kind || a.kind === 'values') return false;
  if (a.kind === 'items') return equalDicts(rendering, a.dict, b.dict);
  const keys = listOf(rendering, a);
  return a.size === b.size && keys.every((key) => dictGet(rendering, b.dict, key) !== undefined);
}

function equalLists(rendering: Rendering, a: readonly Value[], b: readonly Value[]): boolean {
  if (a.length !== b.length) return false;
  rendering.enter();
  rendering.spend(a.length);
  const isEqual = a.every((item, i) => equals(rendering, item, b[i]!));
  rendering.leave();
  return isEqual;
}

function equalDicts(rendering: Rendering, a: AnyDict, b: AnyDict): boolean {
  if (sizeOf(rendering, a) !== sizeOf(rendering, b)) return false;
  rendering.enter();
  let isEqual = true;
  for (const [key, value] of dictPairs(a)) {
    rendering.spend(4);
    const other = dictGet(rendering, b, key);
    isEqual &&= other !== undefined && equals(rendering, value, other);
  }
  rendering.leave();
  return isEqual;
}

export type Ordering = '<' | '<=' | '>' | '>=';

/** @throws {PythonError} TypeError for types that have no order */
export function isOrdered(rendering: Rendering, a: Value, b: Value, operator: Ordering): boolean {
  const [number, otherNumber] = [numberOf(a), numberOf(b)];
  if (number && otherNumber) return holds(number.value, otherNumber.value, operator);
  const [text, otherText] = [asText(a), asText(b)];
  if (text !== undefined && otherText !== undefined) {
    rendering.read(Math.min(text.length, otherText.length));
    return holds(compareTexts(text, otherText), 0, operator);
  }
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined) b.fail();
  if (isList(a) && isList(b)) return areOrdered(rendering, a, b, operator);
  if (a instanceof Tuple && b instanceof Tuple) return areOrdered(rendering, a.items, b.items, operator);
  throw typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function areOrdered(
  rendering: Rendering,
  a: readonly Value[],
  b: readonly Value[],
  operator: Ordering,
): boolean {
  rendering.enter();
  try {
    for (let i = 0; i < a.length && i < b.length; i++) {
      rendering.spend(1);
      if (!equals(rendering, a[i]!, b[i]!)) return isOrdered(rendering, a[i]!, b[i]!, operator);
    }
    return holds(a.length, b.length, operator);
  } finally {
    rendering.leave();
  }
}

function holds(a: number | bigint, b: number | bigint, operator: Ordering): boolean {
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
  }
}

/** `item in container` @throws {PythonError} TypeError */
export function contains(rendering: Rendering, container: Value, item: Value): boolean {
  const text = asText(container);
  if (text !== undefined) {
    const part = asText(item);
    if (part === undefined)
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    rendering.read(text.length);
    return text.includes(part);
  }
  if (isDict(container)) return dictGet(rendering, container, item) !== undefined;
  if (container instanceof DictView && container.kind === 'keys')
    return dictGet(rendering, container.dict, item) !== undefined;
  const items = tryIterate(rendering, container);
  if (items === undefined) throw typeError(`argument of type '${typeName(container)}' is not iterable`);
  for (let next = items.next(); next.done !== true; next = items.next()) {
    rendering.spend(1);
    if (equals(rendering, next.value, item)) return true;
  }
  return false;
}

/** Sorts by keys that were made once, with `<` alone as Python does. Stable. */
export function sortedBy(
  rendering: Rendering,
  items: readonly Value[],
  keyOf: (item: Value) => Value,
  isReversed: boolean,
): Value[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  // Python sorts the reversed list and reverses it again.
  if (isReversed) keyed.reverse();
  const isBefore = (a: Keyed, b: Keyed): boolean => {
    rendering.spend(1);
    return isOrdered(rendering, a.key, b.key, '<');
  };
  const sorted =
    keyed.length < SHORT_LIST ? insertionSort(keyed, isBefore) : keyed.toSorted(orderBy(isBefore));
  const result = sorted.map(({ item }) => item);
  return isReversed ? result.toReversed() : result;
}

interface Keyed {
  readonly item: Value;
  readonly key: Value;
}
type IsBefore = (a: Keyed, b: Keyed) => boolean;

const orderBy =
  (isBefore: IsBefore) =>
  (a: Keyed, b: Keyed): number =>
    isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0;

/** Python sorts shorter lists by binary insertion. Which of several errors comes up depends on the order of comparisons. */
const SHORT_LIST = 64;

function insertionSort(items: readonly Keyed[], isBefore: IsBefore): Keyed[] {
  const sorted = [...items];
  const runEnd = sortFirstRun(sorted, isBefore);
  for (let i = runEnd; i < sorted.length; i++) {
    const pivot = sorted[i]!;
    let [low, high] = [0, i];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(pivot, sorted[middle]!)) high = middle;
      else low = middle + 1;
    }
    sorted.splice(i, 1);
    sorted.splice(low, 0, pivot);
  }
  return sorted;
}

/** Reverses a falling run at the start. Returns the end of the run. */
function sortFirstRun(items: Keyed[], isBefore: IsBefore): number {
  if (items.length < 2) return items.length;
  const isFalling = isBefore(items[1]!, items[0]!);
  let end = 2;
  while (end < items.length && isBefore(items[end]!, items[end - 1]!) === isFalling) end++;
  if (isFalling) items.splice(0, end, ...items.slice(0, end).toReversed());
  return end;
}
