/** Classes of characters as `str.isdigit` and its kin know them. */

/** Digits that are no decimal ones: superscripts, circled digits and the like; first and last of each range. */
const OTHER_DIGITS = [
  [0xb2, 0xb3],
  [0xb9, 0xb9],
  [0x1369, 0x1371],
  [0x19da, 0x19da],
  [0x2070, 0x2070],
  [0x2074, 0x2079],
  [0x2080, 0x2089],
  [0x2460, 0x2468],
  [0x2474, 0x247c],
  [0x2488, 0x2490],
  [0x24ea, 0x24ea],
  [0x24f5, 0x24fd],
  [0x24ff, 0x24ff],
  [0x2776, 0x277e],
  [0x2780, 0x2788],
  [0x278a, 0x2792],
  [0x10a40, 0x10a43],
  [0x10e60, 0x10e68],
  [0x11052, 0x1105a],
  [0x1f100, 0x1f10a],
] as const;

/** Ideographs that are numbers. */
const NUMBER_WORDS = new Set(
  '㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零參拾兩零六陸什𠀁𠁤𠃢𠄡𠤪𠦃𠦌𠦜𠫪𠫽𠬙𢎐𢦘𣬛𦉭廾',
);

export const isDecimal = (character: string): boolean => /\p{Nd}/u.test(character);

export function isDigit(character: string): boolean {
  const code = character.codePointAt(0)!;
  return isDecimal(character) || OTHER_DIGITS.some(([first, last]) => code >= first && code <= last);
}

export const isNumeric = (character: string): boolean =>
  /\p{N}/u.test(character) || NUMBER_WORDS.has(character);

export const isAlpha = (character: string): boolean => /\p{L}/u.test(character);

export const isAlphanumeric = (character: string): boolean => isAlpha(character) || isNumeric(character);

/** Whether a text is a name of Python. */
export const isIdentifier = (text: string): boolean => /^[\p{XIDS}_]\p{XIDC}*$/u.test(text);

/** Value of a decimal digit of any script. */
export function decimalValue(character: string): number {
  const code = character.codePointAt(0)!;
  // Mathematical digits: five alphabets one after the other.
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  // All other scripts begin with zero at a multiple of 16, or 6 after it.
  const low = code & 15;
  return low < 10 && isDecimal(String.fromCodePoint(code - low)) ? low : low - 6;
}
