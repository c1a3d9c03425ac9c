import { ALL_CHARACTERS } from '../code-points.js';
import { GrammarBuilder, type NodeId } from '../grammar-builder.js';
import { JsonText } from './json-text.js';
import { GRAMMAR_LIMITS } from '../limits.js';
import { countRange, invalidKeyword, keywordOf, keywordList, objectOf } from './keywords.js';
import { type Place, placeAt, pointer, refuseSchema } from './places.js';
import type { SchemaContext } from './schema-context.js';
import { patternNode, stringContent } from './string-node.js';
import { grammarFilter } from './value-filter.js';

/** Members that are listed in one choice; the next ones stand behind a rule. */
const BLOCK = 16;

/** Objects that are valid at all places. Members come in the order in which the schema names them, others behind them. */
export function objectNode(compiler: SchemaContext, places: readonly Place[]): NodeId {
  return new ObjectCompiler(compiler, places).compile();
}

interface Member {
  readonly node: NodeId;
  readonly isRequired: boolean;
}

class ObjectCompiler {
  readonly #compiler: SchemaContext;
  readonly #places: readonly Place[];
  readonly #members: readonly Member[];
  /** A member that no name of the schema stands for. */
  readonly #other: NodeId;
  readonly #minCount: number;
  readonly #maxCount: number;
  /** Counts of members from here on are alike. */
  readonly #lastCount: number;
  readonly #rests = new Map<string, NodeId>();
  readonly #nameTests = new Map<string, (name: string) => boolean>();

  constructor(compiler: SchemaContext, places: readonly Place[]) {
    this.#compiler = compiler;
    this.#places = places;
    [this.#minCount, this.#maxCount] = countRange(places, 'minProperties', 'maxProperties');
    this.#lastCount = Math.max(1, this.#minCount, Number.isFinite(this.#maxCount) ? this.#maxCount : 0);
    const required = new Set(places.flatMap(requiredOf));
    const names = [
      ...new Set([
        ...places.flatMap((place) => Object.keys(objectOf(place, 'properties') ?? {})),
        ...required,
      ]),
    ];
    const nameFilter = this.#nameFilter();
    if (names.length > GRAMMAR_LIMITS.members)
      throw refuseSchema(
        pointer(places[0]!.path, 'properties'),
        `it has ${names.length} members, and ${GRAMMAR_LIMITS.members} are possible; use fewer.`,
      );
    this.#members = names
      .map((name) => ({ node: this.#member(name, nameFilter), isRequired: required.has(name) }))
      .filter(({ node, isRequired }) => isRequired || node !== compiler.builder.nothing);
    this.#other = this.#otherMember(names);
  }

  compile(): NodeId {
    return this.#compiler.text.object(this.#rest(0, 0));
  }

  /** The members from `index` on, of which `count` came before. */
  #rest(index: number, count: number): NodeId {
    const key = `${index} ${count}`;
    let node = this.#rests.get(key);
    if (node === undefined) {
      const declared = this.#compiler.builder.declare(`${this.#places[0]!.path} members`);
      this.#rests.set(key, (node = declared.node));
      this.#compiler.builder.define(declared.rule, this.#restNode(index, count));
    }
    return node;
  }

  #restNode(from: number, count: number): NodeId {
    const { builder, text } = this.#compiler;
    const comma = count > 0 ? text.comma : builder.empty;
    const ways: NodeId[] = [];
    for (let index = from; index < this.#members.length; index++) {
      if (index === from + BLOCK) return builder.choice(...ways, this.#rest(index, count));
      const { node, isRequired } = this.#members[index]!;
      if (count < this.#maxCount && node !== builder.nothing)
        ways.push(builder.sequence(comma, node, this.#rest(index + 1, Math.min(count + 1, this.#lastCount))));
      if (isRequired) return builder.choice(...ways);
    }
    return builder.choice(...ways, this.#others(count));
  }

  /** Members at the end, of any other names. */
  #others(count: number): NodeId {
    const { builder, text } = this.#compiler;
    const min = Math.max(0, this.#minCount - count);
    const max = this.#maxCount - count;
    if (count === 0) return text.list(this.#other, min, max);
    if (this.#other === builder.nothing && min > 0) return builder.nothing;
    return builder.repeat(builder.sequence(text.comma, this.#other), min, max);
  }

  #member(name: string, isValidName: (name: string) => boolean): NodeId {
    const { builder, text } = this.#compiler;
    if (!isValidName(name)) return builder.nothing;
    const value = this.#compiler.valueNode(this.#places.flatMap((place) => this.#views(place, name)));
    return value === builder.nothing ? value : text.member(builder.text(JSON.stringify(name)), value);
  }

  /** Rules of a place for the member of a name. */
  #views(place: Place, name: string): (Place | boolean)[] {
    const views: (Place | boolean)[] = [];
    const properties = objectOf(place, 'properties') ?? {};
    if (Object.hasOwn(properties, name))
      views.push(placeAt(properties[name], pointer(place.path, 'properties', name)));
    for (const [pattern, schema] of Object.entries(objectOf(place, 'patternProperties') ?? {}))
      if (this.#nameTest(pattern, place)(name))
        views.push(placeAt(schema, pointer(place.path, 'patternProperties', pattern)));
    return views.length > 0 ? views : [additional(place)];
  }

  /** Tells names that a pattern matches. The automaton does it: the engine of JavaScript can take for ever. */
  #nameTest(pattern: string, place: Place): (name: string) => boolean {
    let test = this.#nameTests.get(pattern);
    if (test === undefined) {
      const builder = new GrammarBuilder();
      const text = new JsonText(builder);
      const where = `pattern at ${pointer(place.path, 'patternProperties', pattern)}`;
      const node = patternNode({ builder, text }, pattern, { where, isSearch: true });
      this.#nameTests.set(pattern, (test = grammarFilter(builder, text.quoted(node))));
    }
    return test;
  }

  #otherMember(names: readonly string[]): NodeId {
    const { builder, text } = this.#compiler;
    const patterns = [
      ...new Set(this.#places.flatMap((place) => Object.keys(objectOf(place, 'patternProperties') ?? {}))),
    ];
    const taken = builder.texts(names.map((name) => JSON.stringify(name).slice(1, -1)));
    const nodes = patterns.map((pattern) =>
      patternNode(this.#compiler, pattern, {
        where: `pattern at ${pointer(this.#places[0]!.path, 'patternProperties', pattern)}`,
        isSearch: true,
      }),
    );
    const any = this.#anyName();
    const rest = builder.without(any, builder.choice(taken, ...nodes));
    const member = (name: NodeId, views: readonly (Place | boolean)[]): NodeId => {
      const value = this.#compiler.valueNode(views);
      return value === builder.nothing ? value : text.member(text.quoted(name), value);
    };
    return builder.choice(
      member(rest, this.#places.map(additional)),
      ...nodes.map((node, i) => {
        const others = nodes.filter((_, j) => j !== i);
        return member(
          builder.without(builder.both(any, node), builder.choice(taken, ...others)),
          this.#places.map((place) => patternView(place, patterns[i]!)),
        );
      }),
    );
  }

  #nameSchemas(): (Place | boolean)[] {
    return this.#places.flatMap((place) => {
      const schema = keywordOf(place, 'propertyNames');
      return schema === undefined ? [] : [placeAt(schema, pointer(place.path, 'propertyNames'))];
    });
  }

  #nameFilter(): (name: string) => boolean {
    const schemas = this.#nameSchemas();
    return schemas.length === 0 ? () => true : this.#compiler.valueFilter(schemas);
  }

  /** Names, without their quotes, in their one spelling. */
  #anyName(): NodeId {
    const { builder, text } = this.#compiler;
    const character = text.characters(ALL_CHARACTERS);
    const flat = this.#compiler.flatten(this.#nameSchemas());
    if (flat === undefined) return builder.nothing;
    const listed = flat.find((place) =>
      ['enum', 'const', 'anyOf', 'oneOf'].some((keyword) => keyword in place.schema),
    );
    if (listed === undefined) return stringContent(this.#compiler, flat, character);
    const values = [listed.schema['const'], ...(keywordList(listed, 'enum') ?? [])].filter(
      (value) => typeof value === 'string',
    );
    const isValid = this.#nameFilter();
    return builder.texts(values.filter(isValid).map((value) => JSON.stringify(value).slice(1, -1)));
  }
}

function additional(place: Place): Place | boolean {
  const schema = keywordOf(place, 'additionalProperties');
  return schema === undefined ? true : placeAt(schema, pointer(place.path, 'additionalProperties'));
}

/** Rule of a place for names of a pattern that no other pattern matches. */
function patternView(place: Place, pattern: string): Place | boolean {
  const schemas = objectOf(place, 'patternProperties') ?? {};
  return Object.hasOwn(schemas, pattern)
    ? placeAt(schemas[pattern], pointer(place.path, 'patternProperties', pattern))
    : additional(place);
}

function requiredOf(place: Place): string[] {
  const names = keywordList(place, 'required') ?? [];
  const texts = names.filter((name) => typeof name === 'string');
  if (texts.length < names.length) throw invalidKeyword(place.path, 'required', 'a list of strings');
  return texts;
}
