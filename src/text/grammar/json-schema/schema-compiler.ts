import type { Grammar } from '../../../core/constraint.js';
import { GrammarBuilder, type NodeId } from '../grammar-builder.js';
import { constraintError, GRAMMAR_LIMITS } from '../limits.js';
import { arrayNode } from './array-node.js';
import { areDisjoint, haveOwnTags } from './disjoint.js';
import { JsonText } from './json-text.js';
import { checkKeywords, keywordOf, keywordList, keywordNumber } from './keywords.js';
import { type NumberBounds, NumberNodes } from './number-node.js';
import { objectNode } from './object-node.js';
import { type Place, placeAt, pointer, refuseSchema, SchemaDocument } from './places.js';
import type { SchemaContext } from './schema-context.js';
import { stringContent } from './string-node.js';
import { acceptsType, type JsonType, typesOf } from './types.js';
import { acceptsAll, grammarFilter } from './value-filter.js';

/**
 * Turns a JSON schema into a grammar of JSON texts. Every text of the grammar is valid under the schema; the reverse does
 * not hold where the guide says so: members come in the order of the schema, white space and digits are bounded.
 */
export class SchemaCompiler implements SchemaContext {
  readonly builder = new GrammarBuilder();
  readonly text = new JsonText(this.builder);
  readonly #numbers = new NumberNodes(this.builder, this.text);
  readonly #known = new Map<string, NodeId>();
  readonly #root: unknown;
  readonly #document: SchemaDocument;
  /** Steps that are left; shared with the compilers that this one makes. */
  readonly #work: { left: number };
  #depth = 0;

  /** @param root the document that references lead into */
  constructor(root: unknown, work: { left: number } = { left: GRAMMAR_LIMITS.schemaWork }) {
    this.#root = root;
    this.#work = work;
    this.#document = new SchemaDocument(root);
  }

  /** @throws {AloftError} REQUEST_INVALID naming path and keyword */
  compile(): Grammar {
    return this.builder.build(this.valueNode([placeAt(this.#root, '#')]));
  }

  /** Values that are valid at all places. */
  valueNode(places: readonly (Place | boolean)[]): NodeId {
    const flat = this.flatten(places);
    if (flat === undefined) return this.builder.nothing;
    if (flat.length === 0) return this.text.value;
    const key = flat
      .map(({ path, done }) => `${path} ${done.join()}`)
      .toSorted()
      .join('\n');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (++this.#depth > GRAMMAR_LIMITS.depth)
      throw constraintError(
        `The JSON schema nests more than ${GRAMMAR_LIMITS.depth} schemas at ${flat[0]!.path}; simplify it.`,
      );
    const { rule, node } = this.builder.declare(flat[0]!.path);
    this.#known.set(key, node);
    const made = this.#node(flat);
    this.builder.define(rule, made);
    this.#depth--;
    return node;
  }

  /** Follows references and `allOf`. @returns the places that say something; undefined when nothing is valid */
  flatten(places: readonly (Place | boolean)[]): readonly Place[] | undefined {
    const flat = new Map<string, Place>();
    const open = places.map((place) => ({ place, trail: [] as readonly string[] })).toReversed();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { place, trail } = next;
      this.#spend(1);
      if (place === false) return undefined;
      if (place === true) continue;
      const key = `${place.path} ${place.done.join()}`;
      if (trail.includes(key))
        throw refuseSchema(
          pointer(trail[0]!.split(' ')[0]!, '$ref'),
          'the reference leads back to itself without an end.',
        );
      if (flat.has(key)) continue;
      // Its parts are places of their own from here on: to follow it again would bring back what is done of them.
      flat.set(key, { ...place, done: [...new Set([...place.done, 'allOf', '$ref'])] });
      checkKeywords(place);
      const parts = this.#partsOf(place).map((part) => ({ place: part, trail: [...trail, key] }));
      open.push(...parts.toReversed());
    }
    return [...flat.values()];
  }

  valueFilter(places: readonly (Place | boolean)[]): (value: unknown) => boolean {
    if (acceptsAll(places)) return () => true;
    const other = new SchemaCompiler(this.#root, this.#work);
    return grammarFilter(other.builder, other.valueNode(places));
  }

  #spend(work: number): void {
    this.#work.left -= work;
    if (this.#work.left < 0)
      throw constraintError(
        'The JSON schema has too many combinations of unions and references; simplify it.',
      );
  }

  /** Schemas of `allOf` and of a reference. */
  #partsOf(place: Place): (Place | boolean)[] {
    const { path } = place;
    const parts =
      keywordList(place, 'allOf')?.map((part, i) => placeAt(part, pointer(path, 'allOf', i))) ?? [];
    const reference = keywordOf(place, '$ref');
    return reference === undefined ? parts : [...parts, this.#document.resolve(reference, path)];
  }

  #node(places: readonly Place[]): NodeId {
    for (const keyword of ['anyOf', 'oneOf'] as const) {
      const place = places.find((one) => keywordList(one, keyword) !== undefined);
      if (place !== undefined) return this.#branches(places, place, keyword);
    }
    const values = this.#enumerated(places);
    if (values !== undefined) return this.#values(values, places);
    return this.builder.choice(...[...typesOf(places)].map((type) => this.#typeNode(type, places)));
  }

  #branches(places: readonly Place[], place: Place, keyword: 'anyOf' | 'oneOf'): NodeId {
    const others = places.filter((one) => one !== place);
    const rest = { ...place, done: [...place.done, keyword] };
    const branches = keywordList(place, keyword)!.map((branch, i) =>
      placeAt(branch, pointer(place.path, keyword, i)),
    );
    const views = branches.map((branch) => [...others, rest, branch]);
    if (keyword === 'oneOf') {
      const flats = views.map((view) => this.flatten(view));
      for (const [i, a] of haveOwnTags(flats) ? [] : flats.entries()) {
        this.#spend(i);
        for (const b of flats.slice(0, i))
          if (a !== undefined && b !== undefined && !areDisjoint(a, b))
            throw refuseSchema(
              pointer(place.path, 'oneOf'),
              `values may be valid under branches ${flats.indexOf(b)} and ${i} at once; use anyOf, or give them a required constant that differs.`,
            );
      }
    }
    return this.builder.choice(...views.map((view) => this.valueNode(view)));
  }

  /** Values that `const` and `enum` allow; undefined without any. */
  #enumerated(places: readonly Place[]): readonly unknown[] | undefined {
    let left: Map<string, unknown> | undefined;
    for (const place of places) {
      const constant = keywordOf(place, 'const');
      for (const values of [constant === undefined ? undefined : [constant], keywordList(place, 'enum')]) {
        if (values === undefined) continue;
        if (values.length > GRAMMAR_LIMITS.choices)
          throw refuseSchema(
            pointer(place.path, 'enum'),
            `it has ${values.length} values, and ${GRAMMAR_LIMITS.choices} are possible; use fewer, or a pattern.`,
          );
        const texts = new Map(values.map((value) => [JSON.stringify(value), value]));
        left = left === undefined ? texts : new Map([...left].filter(([text]) => texts.has(text)));
      }
    }
    return left && [...left.values()];
  }

  #values(values: readonly unknown[], places: readonly Place[]): NodeId {
    const types = typesOf(places);
    const rest = places.map((place) => ({ ...place, done: [...place.done, 'const', 'enum'] }));
    const isValid = this.valueFilter(rest);
    const kept = values.filter((value) => acceptsType(types, value) && isValid(value));
    return this.builder.texts(kept.map((value) => JSON.stringify(value)));
  }

  #typeNode(type: JsonType, places: readonly Place[]): NodeId {
    switch (type) {
      case 'null':
        return this.builder.text('null');
      case 'boolean':
        return this.builder.texts(['true', 'false']);
      case 'string':
        return this.text.quoted(stringContent(this, places, this.text.character));
      case 'array':
        return arrayNode(this, places);
      case 'object':
        return objectNode(this, places);
      default:
        return this.#number(places, type === 'integer');
    }
  }

  #number(places: readonly Place[], isInteger: boolean): NodeId {
    const bounds = boundsOf(places);
    const isBounded = Number.isFinite(bounds.min) || Number.isFinite(bounds.max);
    const divisors = places.flatMap((place) => divisorOf(place) ?? []).filter((divisor) => divisor !== 1);
    const isWhole = isInteger || places.some((place) => divisorOf(place) !== undefined);
    const range = isWhole
      ? isBounded
        ? this.#numbers.integers(bounds)
        : this.text.integer
      : isBounded
        ? this.#numbers.numbers(bounds)
        : this.text.number;
    if (divisors.length === 0) return range;
    const multiples = divisors.map((divisor) => this.#numbers.multiples(divisor));
    return this.builder.both(...(isBounded ? [range] : []), ...multiples);
  }
}

const MAX_DIVISOR = 1000;

function divisorOf(place: Place): number | undefined {
  const divisor = keywordNumber(place, 'multipleOf');
  if (divisor === undefined) return undefined;
  if (Number.isInteger(divisor) && divisor >= 1 && divisor <= MAX_DIVISOR) return divisor;
  throw refuseSchema(
    pointer(place.path, 'multipleOf'),
    `multipleOf is a whole number from 1 to ${MAX_DIVISOR}, not ${divisor}.`,
  );
}

function boundsOf(places: readonly Place[]): NumberBounds {
  let [min, max, isMinExcluded, isMaxExcluded] = [-Infinity, Infinity, false, false];
  for (const place of places) {
    const lows = [
      { bound: keywordNumber(place, 'minimum'), isExcluded: false },
      { bound: keywordNumber(place, 'exclusiveMinimum'), isExcluded: true },
    ];
    for (const { bound = -Infinity, isExcluded } of lows)
      if (bound > min || (bound === min && isExcluded))
        [min, isMinExcluded] = [bound, isExcluded && bound !== -Infinity];
    const highs = [
      { bound: keywordNumber(place, 'maximum'), isExcluded: false },
      { bound: keywordNumber(place, 'exclusiveMaximum'), isExcluded: true },
    ];
    for (const { bound = Infinity, isExcluded } of highs)
      if (bound < max || (bound === max && isExcluded))
        [max, isMaxExcluded] = [bound, isExcluded && bound !== Infinity];
  }
  return { min, max, isMinExcluded, isMaxExcluded };
}
