/**
 * Texts of others in sentences and lines for people: nothing in them moves a cursor, ends a line or turns its direction.
 */

/**
 * Control characters, separators of lines and paragraphs, halves of surrogate pairs, and characters of format: those that
 * turn a direction, and those without width.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** These, others that leave no trace on paper, and what stands for bytes that were no text. */
const NO_NAME = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\ufffd]/u;

/** Of an id, in characters. */
const MOST_SHOWN = 80;

/** The text, with an escape such as `\u001b` for each character that is no character to print. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = (character.codePointAt(0) as number).toString(16).padStart(4, '0');
    return code.length > 4 ? `\\u{${code}}` : `\\u${code}`;
  });
}

/** An id in a sentence: as much of it as tells which it is, and whoever wrote it moves no cursor of the people who read the sentence. */
export function shownId(id: string): string {
  return printable(id.slice(0, MOST_SHOWN));
}

/** Whether a text has a character that no name, label and URL may have: one that cannot be seen, or that changes how others look. */
export function hasHidden(text: string): boolean {
  return NO_NAME.test(text);
}
