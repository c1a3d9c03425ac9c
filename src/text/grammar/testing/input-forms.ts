/** Forms of custom tools' inputs, with judges that share nothing with the compiler of grammars. */
import type { TextForm } from '../../../core/constraint.js';

export interface InputForm {
  readonly what: string;
  readonly form: TextForm | undefined;
  readonly isInput: (text: string) => boolean;
}

/** The patch language of Codex. */
export const PATCH_GRAMMAR = `
start: begin_patch hunk+ end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?
hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line+
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF change_move? change?
filename: /(.+)/
add_line: "+" /(.*)/ LF -> line
change_move: "*** Move to: " filename LF
change: (change_context | change_line)+ eof_line?
change_context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
eof_line: "*** End of File" LF
%import common.LF
`;

const ADD = String.raw`\*\*\* Add File: .+\n(?:\+.*\n)+`;
const UPDATE = String.raw`\*\*\* Update File: .+\n(?:\*\*\* Move to: .+\n)?(?:(?:@@(?: .+)?\n|[-+ ].*\n)+(?:\*\*\* End of File\n)?)?`;
const PATCH = new RegExp(
  String.raw`^\*\*\* Begin Patch\n(?:${ADD}|\*\*\* Delete File: .+\n|${UPDATE})+\*\*\* End Patch\n?$`,
  'u',
);

const DATE = String.raw`^(?P<day>\d{1,2})(?:st|nd|rd|th)? "[^"\n]{0,5}"\t\\[\x00-\x08\u{1f600}é]$`;

export const INPUT_FORMS: readonly InputForm[] = [
  { what: 'any text', form: undefined, isInput: () => true },
  {
    what: 'a pattern with quotes, escapes and control characters',
    form: { type: 'regex', pattern: DATE },
    isInput: (text) => new RegExp(DATE.replace('?P<', '?<'), 'u').test(text),
  },
  {
    what: 'patches',
    form: { type: 'grammar', grammar: PATCH_GRAMMAR },
    isInput: (text) => PATCH.test(text),
  },
  {
    what: 'brackets in brackets',
    form: { type: 'grammar', grammar: String.raw`start: "(" (start | /[a"\\\n]/)* ")"` },
    isInput: (text) => /^[()a"\\\n]+$/.test(text) && isNested(text),
  },
  {
    what: 'markup',
    form: { type: 'regex', pattern: '(?:<[a-z/]{1,3}>[^>]{0,4})+\n?' },
    isInput: (text) => /^(?:<[a-z/]{1,3}>[^>]{0,4})+\n?$/u.test(text),
  },
];

/** Whether the last bracket closes the first, and the others stand in pairs. */
function isNested(text: string): boolean {
  let depth = 0;
  for (const [i, character] of Array.from(text).entries()) {
    if (i > 0 && depth === 0) return false;
    if (character === '(') depth++;
    if (character === ')') depth--;
  }
  return depth === 0;
}
