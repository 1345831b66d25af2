/**
 * Texts of others in sentences and lines for people: nothing in them moves a cursor, ends a line or turns its direction.
 */

/** Control characters, separators of lines, and what overrides or isolates a direction. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const CONTROL = /\p{Cc}/u;

/** The text, with an escape such as `\u001b` for each character that is no character to print. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Whether a text has a control character, which no name and no URL of a node may have. */
export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}
