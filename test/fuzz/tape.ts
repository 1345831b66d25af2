/**
 * The frames that a node was given last, on a tape that another thread can read: what is left when a node hangs.
 *
 * Two halves: one is written while the other keeps what came before.
 */
export class Tape {
  readonly shared: SharedArrayBuffer;
  readonly #bytes: Buffer;
  /** Which half is written, and how far each is. */
  readonly #state: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(12 + 2 * HALF)) {
    this.shared = shared;
    this.#state = new Int32Array(shared, 0, 3);
    this.#bytes = Buffer.from(shared, 12);
  }

  /** @param session whose frame it is; frames of one session stand in their order */
  record(session: number, frame: Uint8Array): void {
    const state = this.#state;
    const size = 8 + frame.length;
    if (size > HALF) return;
    if ((state[1 + (state[0] as number)] as number) + size > HALF) {
      state[0] = 1 - (state[0] as number);
      state[1 + state[0]] = 0;
    }
    const half = state[0] as number;
    const at = half * HALF + (state[1 + half] as number);
    this.#bytes.writeUInt32LE(session, at);
    this.#bytes.writeUInt32LE(frame.length, at + 4);
    this.#bytes.set(frame, at + 8);
    state[1 + half] = (state[1 + half] as number) + size;
  }

  /** Sessions with their frames, in the order of each session's first. */
  read(): Map<number, Uint8Array[]> {
    const sessions = new Map<number, Uint8Array[]>();
    const current = this.#state[0] as number;
    for (const half of [1 - current, current]) {
      const end = half * HALF + (this.#state[1 + half] as number);
      for (let at = half * HALF; at < end;) {
        const session = this.#bytes.readUInt32LE(at);
        const length = this.#bytes.readUInt32LE(at + 4);
        const frames = sessions.get(session) ?? [];
        frames.push(Uint8Array.from(this.#bytes.subarray(at + 8, at + 8 + length)));
        sessions.set(session, frames);
        at += 8 + length;
      }
    }
    return sessions;
  }
}

/** Some thousands of frames. */
const HALF = 2 * 1024 * 1024;
