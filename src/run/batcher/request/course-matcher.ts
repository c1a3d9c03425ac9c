/** Follows one sequence through a course. Several ways may be open at the same time; what any of them allows is allowed. */
import type { TokenCourse, TokenCourseEdge, TokenCoursePart } from '../../../core/course.js';
import { TokenMatcher, type AutomatonCache } from '../../../text/grammar/token-matcher.js';
import type { TokenMask } from '../../../text/grammar/vocabulary/token-masks.js';

type FreePart = Extract<TokenCoursePart, { type: 'free' }>;

/** Within the text of an edge. */
interface TextWay {
  readonly type: 'text';
  readonly ids: readonly number[];
  readonly at: number;
  readonly edge: TokenCourseEdge;
}

interface ConstrainedWay {
  readonly type: 'constrained';
  readonly matcher: TokenMatcher;
  readonly edge: TokenCourseEdge;
}

interface FreeWay {
  readonly type: 'free';
  readonly part: FreePart;
  readonly edge: TokenCourseEdge;
  readonly seen: SeenText;
}

/** A place in the course. */
type Way = TextWay | ConstrainedWay | FreeWay;

/** A free part so far. */
interface SeenText {
  readonly tokenCount: number;
  /** The last bytes, in which the mark may have begun. */
  readonly tail: Uint8Array;
}

const NOTHING_SEEN: SeenText = { tokenCount: 0, tail: new Uint8Array() };

export class CourseMatcher {
  readonly #course: TokenCourse;
  readonly #automata: AutomatonCache;
  #ways: readonly Way[] = [];
  #isAccepting = false;

  constructor(course: TokenCourse, automata: AutomatonCache) {
    this.#course = course;
    this.#automata = automata;
    this.#enter({ kept: [], entered: [{ node: course.start, space: '' }], hasPassedText: false });
  }

  /** Whether the output may end here. */
  get isAccepting(): boolean {
    return this.#isAccepting;
  }

  /** Whether the output can only end here. */
  get isComplete(): boolean {
    return this.#isAccepting && this.#ways.length === 0;
  }

  /** Tokens that may follow. @throws {AloftError} REQUEST_INVALID when that takes too long to find */
  mask(): TokenMask {
    const [only, ...others] = this.#ways;
    if (only?.type === 'constrained' && others.length === 0) return only.matcher.mask();
    const bits = new Int32Array(Math.ceil(this.#course.tokens.vocabulary / 32));
    for (const way of this.#ways) this.#allow(way, bits);
    return { bits, isEmpty: bits.every((word) => word === 0) };
  }

  /** Takes a token. @returns false when the course forbids it */
  accept(tokenId: number): boolean {
    const to: Steps = { kept: [], entered: [], hasPassedText: false };
    for (const way of this.#ways) if (way.type !== 'free') this.#step(way, tokenId, to);
    // A text that is complete, such as the tag of a thought, is not a part of the free text that may stand there instead.
    if (!to.hasPassedText)
      for (const way of this.#ways) if (way.type === 'free') this.#stepFree(way, tokenId, to);
    this.#enter(to);
    return this.#ways.length > 0 || this.#isAccepting;
  }

  fork(): CourseMatcher {
    const copy = new CourseMatcher(this.#course, this.#automata);
    copy.#isAccepting = this.#isAccepting;
    copy.#ways = this.#ways.map((way) =>
      way.type === 'constrained' ? { ...way, matcher: way.matcher.fork() } : way,
    );
    return copy;
  }

  #allow(way: Way, bits: Int32Array): void {
    if (way.type === 'text') return setBit(bits, way.ids[way.at]!);
    if (way.type === 'constrained') {
      const { bits: allowed } = way.matcher.mask();
      for (let i = 0; i < bits.length; i++) bits[i]! |= allowed[i]!;
      return;
    }
    const { vocabulary } = this.#course.tokens;
    bits.fill(-1);
    // Bits behind the last token stand for none.
    if (vocabulary % 32 !== 0) bits[bits.length - 1] = (1 << (vocabulary % 32)) - 1;
  }

  #step(way: Exclude<Way, FreeWay>, tokenId: number, to: Steps): void {
    if (way.type === 'text') {
      if (way.ids[way.at] === tokenId) this.#advance({ ...way, at: way.at + 1 }, to);
    } else if (way.matcher.accept(tokenId)) {
      if (way.matcher.isAccepting) to.entered.push({ node: way.edge.to, space: '' });
      if (!way.matcher.isComplete) to.kept.push(way);
    }
  }

  #stepFree(way: FreeWay, tokenId: number, to: Steps): void {
    const { part, edge, seen } = way;
    if (part.until === undefined) return void to.kept.push(way);
    const { tokenOffsets, tokenBytes } = this.#course.tokens;
    const bytes = tokenBytes.subarray(tokenOffsets[tokenId], tokenOffsets[tokenId + 1]);
    const text = Buffer.concat([seen.tail, bytes]);
    const at = text.indexOf(part.until);
    if (at >= 0) {
      const space = text.subarray(at + part.until.length).toString('utf8');
      return void to.entered.push({ node: edge.to, space });
    }
    const tail = text.subarray(Math.max(0, text.length - part.until.length + 1));
    this.#startFree({ ...way, seen: { tokenCount: seen.tokenCount + 1, tail } }, to.kept);
  }

  /** A free part whose budget is spent is closed. */
  #startFree(way: FreeWay, kept: Way[]): void {
    const { budget } = way.part;
    if (budget === undefined || way.seen.tokenCount < budget.tokens) return void kept.push(way);
    kept.push({ type: 'text', ids: budget.closing, at: 0, edge: { ...way.edge, part: undefined } });
  }

  /** Goes on from a text, when it is at its end to what stands behind it. */
  #advance(way: TextWay, to: Steps): void {
    const { kept, entered } = to;
    const { edge } = way;
    if (way.at < way.ids.length) return void kept.push(way);
    to.hasPassedText ||= way.at > 0;
    if (edge.part === undefined) entered.push({ node: edge.to, space: '' });
    else if (edge.part.type === 'free')
      this.#startFree({ type: 'free', part: edge.part, edge, seen: NOTHING_SEEN }, kept);
    else {
      const { constraint } = edge.part;
      const matcher = new TokenMatcher(this.#automata.automatonOf(constraint), constraint);
      if (matcher.isAccepting) entered.push({ node: edge.to, space: '' });
      kept.push({ type: 'constrained', matcher, edge });
    }
  }

  /** Opens the ways that start at nodes. */
  #enter(to: Steps): void {
    const { kept, entered } = to;
    const done = new Set<number>();
    let isFinal = false;
    for (let entry = entered.pop(); entry !== undefined; entry = entered.pop()) {
      const { node, space } = entry;
      if (done.has(node)) continue;
      done.add(node);
      isFinal ||= this.#course.nodes[node]!.isFinal;
      for (const edge of this.#course.nodes[node]!.edges) {
        const skipped = edge.leadingSpace.startsWith(space) ? space.length : 0;
        this.#advance({ type: 'text', ids: edge.starts[skipped]!, at: 0, edge }, to);
      }
    }
    this.#isAccepting = isFinal || kept.some((way) => way.type === 'free' && way.part.mayEnd);
    this.#ways = kept;
  }
}

/** A node, and spaces behind a mark that were written with its last token. */
interface Entry {
  readonly node: number;
  readonly space: string;
}

interface Steps {
  readonly kept: Way[];
  readonly entered: Entry[];
  /** Whether the text of an edge was completed. */
  hasPassedText: boolean;
}

function setBit(bits: Int32Array, id: number): void {
  bits[id >> 5]! |= 1 << (id & 31);
}
