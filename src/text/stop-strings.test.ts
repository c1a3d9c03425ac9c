import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PieceKind, StopStrings } from './stop-strings.js';

/** Streams the pieces and returns all text that came out. */
function stream(pieces: readonly string[], stops: readonly string[], includeStop = false) {
  const matcher = new StopStrings(stops, includeStop);
  let text = '';
  for (const piece of pieces) {
    const match = matcher.push(piece);
    text += match.text;
    if (match.stop !== undefined) return { text, stop: match.stop };
  }
  return { text: text + matcher.end(), stop: undefined };
}

/** The definition: grow the text by one character until it ends with a stop string. */
function reference(text: string, stops: readonly string[], includeStop: boolean) {
  for (let end = 1; end <= text.length; end++) {
    const matches = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const stop = matches.toSorted((a, b) => b.length - a.length)[0];
    if (stop !== undefined) return { text: text.slice(0, includeStop ? end : end - stop.length), stop };
  }
  return { text, stop: undefined };
}

describe('stop strings', () => {
  it('match over piece boundaries and are cut off', () => {
    expect(stream(['Hello', ' wo', 'rld\nUs', 'er', ': next'], ['\nUser:'])).toEqual({
      text: 'Hello world',
      stop: '\nUser:',
    });
  });

  it('are part of the text when wanted', () => {
    expect(stream(['one. ', 'two'], ['.'], true)).toEqual({ text: 'one.', stop: '.' });
  });

  it('hold back only what may still match', () => {
    const matcher = new StopStrings(['END', 'NIL'], false);
    expect(matcher.push('the E').text).toBe('the ');
    expect(matcher.push('N').text).toBe('');
    expect(matcher.push('I').text).toBe('E');
    expect(matcher.push('x').text).toBe('NIx');
    expect(matcher.push('EN').text).toBe('');
    expect(matcher.end()).toBe('EN');
  });

  it('do not depend on how the text is cut', () => {
    const letters = fc.constantFrom('a', 'b', 'c', '🙂');
    const pieces = fc.array(fc.string({ unit: letters, maxLength: 6 }), { maxLength: 12 });
    const stops = fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(pieces, stops, fc.boolean(), (parts, words, includeStop) => {
        expect(stream(parts, words, includeStop)).toEqual(reference(parts.join(''), words, includeStop));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Streams pieces of which some are hidden or too early for a stop. */
function streamOf(
  pieces: readonly (readonly [text: string, kind?: PieceKind])[],
  stops: readonly string[],
  includeStop = false,
) {
  const matcher = new StopStrings(stops, includeStop);
  let text = '';
  for (const [piece, kind] of pieces) {
    const match = matcher.push(piece, kind);
    text += match.text;
    if (match.stop !== undefined) return { text, stop: match.stop };
  }
  return { text: text + matcher.end(), stop: undefined };
}
const early = { mayStop: false } as const;
const hidden = { isHidden: true } as const;

describe('text that no stop string may end yet', () => {
  it.each<[string, readonly (readonly [string, PieceKind?])[], string, string | undefined]>([
    ['is passed through', [['a stop b', early], [' c']], 'a stop b c', undefined],
    ['may begin one', [['a st', early], ['op b']], 'a ', 'stop'],
    ['counts to its last character', [['a stop', early], [' stop']], 'a stop ', 'stop'],
    ['hides no later one', [['stop st', early], ['stop']], 'stop st', 'stop'],
  ])('%s', (_, pieces, text, stop) => {
    expect(streamOf(pieces, ['stop'])).toEqual({ text, stop });
  });

  it('holds a shorter stop string that it already had', () => {
    expect(streamOf([['xab', early], ['?']], ['ab', 'xab!'])).toEqual({ text: 'xab?', stop: undefined });
    expect(streamOf([['xab', early], ['!']], ['ab', 'xab!'])).toEqual({ text: '', stop: 'xab!' });
  });
});

describe('hidden text', () => {
  it.each<
    [string, readonly (readonly [string, PieceKind?])[], readonly string[], string, string | undefined]
  >([
    ['ends the output', [['a'], ['<e>', hidden], ['b']], ['<e>'], 'a', '<e>'],
    ['is not shown where nothing ends', [['a'], ['<e>', hidden], ['b']], ['<e>!'], 'ab', undefined],
    ['at the end', [['a'], ['<e>', hidden]], ['<e>!'], 'a', undefined],
    ['with text behind it', [['a\n'], ['<e>', hidden], ['!b']], ['<e>!'], 'a\n', '<e>!'],
    ['with text before it', [['a\n'], ['<e>', hidden]], ['\n<e>'], 'a', '\n<e>'],
    [
      'twice',
      [
        ['<e>', hidden],
        ['<e>', hidden],
        ['<e>', hidden],
      ],
      ['<e><e><f>'],
      '',
      undefined,
    ],
  ])('%s', (_, pieces, stops, text, stop) => {
    expect(streamOf(pieces, stops)).toEqual({ text, stop });
  });

  it('is a part of the stop string that is shown', () => {
    expect(streamOf([['a'], ['<e>', hidden]], ['<e>'], true)).toEqual({ text: 'a<e>', stop: '<e>' });
  });
});
