import { AloftError } from '../../core/errors.js';

/** Returns a function that looks for something, and adds the sentence of a failure to `notes` instead of throwing it. */
export function attemptsInto(notes: string[]): <Found>(look: () => Found) => Found | undefined {
  return (look) => {
    try {
      return look();
    } catch (fault) {
      if (!(fault instanceof AloftError)) throw fault;
      notes.push(fault.message);
      return undefined;
    }
  };
}
