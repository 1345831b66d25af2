/**
 * Conversations with a node as text: what the corpus holds, what a failure leaves behind, and what `--replay` plays.
 *
 * A line that begins with `#` is for people. `session`, `hello`, `proof`, `commit` and `tcp` begin a connection, at that
 * point of it: past the handshake, before one's hello, before one's proof, before the commit, before any WebSocket. Lines of
 * hexadecimal digits are frames (with `tcp`: bytes), sent in their order. `stays` or `closes CODE` says what comes of it.
 */

const openings = ['session', 'hello', 'proof', 'commit', 'tcp'] as const;
export type Opening = (typeof openings)[number];

export interface Conversation {
  readonly opening: Opening;
  readonly frames: Uint8Array[];
  /** `stays`, or the name of a close code; null: not said. */
  outcome: string | null;
}

/** @throws Error that names the line which is none */
export function readScript(text: string): Conversation[] {
  const conversations: Conversation[] = [];
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.replace(/#.*/, '').trim();
    const current = conversations.at(-1);
    const closes = /^closes ([A-Z_]+)$/.exec(line);
    if (line === '') continue;
    if ((openings as readonly string[]).includes(line))
      conversations.push({ opening: line as Opening, frames: [], outcome: null });
    else if (current !== undefined && line === 'stays') current.outcome = line;
    else if (current !== undefined && closes !== null) current.outcome = closes[1] as string;
    else if (current !== undefined && /^(empty|([0-9a-f]{2} ?)+)$/i.test(line))
      current.frames.push(line === 'empty' ? new Uint8Array(0) : Buffer.from(line.replaceAll(' ', ''), 'hex'));
    else
      throw new Error(`Line ${index + 1} is neither the begin of a connection, nor a frame, nor an outcome: ${line}`);
  }
  return conversations;
}

export function writeScript(sessions: Iterable<readonly Uint8Array[]>, heading: string): string {
  const lines = [`# ${heading}`];
  for (const frames of sessions) {
    lines.push('', 'session');
    for (const frame of frames) lines.push(frame.length === 0 ? 'empty' : Buffer.from(frame).toString('hex'));
  }
  return `${lines.join('\n')}\n`;
}
