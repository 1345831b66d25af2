/**
 * What will happen, in order of virtual time.
 *
 * Invariants
 *  1. What is due earlier comes first; of what is due at one time, what was put in first.
 *  2. A step costs O(log n); nothing is allocated but what the arrays grow by.
 */

export type Act = () => void;

/** A binary heap over three arrays. */
export class EventQueue {
  readonly #times: number[] = [];
  readonly #numbers: number[] = [];
  readonly #acts: Act[] = [];
  #given = 0;

  get size(): number {
    return this.#acts.length;
  }

  /** When the next act is due; `Infinity`: there is none. */
  get nextMs(): number {
    return this.#times.length === 0 ? Infinity : (this.#times[0] as number);
  }

  put(atMs: number, act: Act): void {
    let at = this.#acts.length;
    const number = ++this.#given;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#times[parent] as number) <= atMs) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, atMs, number, act);
  }

  /** Takes out the next act. There must be one. */
  take(): Act {
    const first = this.#acts[0] as Act;
    const time = this.#times.pop() as number;
    const number = this.#numbers.pop() as number;
    const act = this.#acts.pop() as Act;
    const { length } = this.#acts;
    if (length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#isBefore(child + 1, child)) child++;
      const childTime = this.#times[child] as number;
      if (childTime > time || (childTime === time && (this.#numbers[child] as number) > number)) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, time, number, act);
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#times[a] as number) - (this.#times[b] as number);
    return difference < 0 || (difference === 0 && (this.#numbers[a] as number) < (this.#numbers[b] as number));
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#numbers[to] = this.#numbers[from] as number;
    this.#acts[to] = this.#acts[from] as Act;
  }

  #set(at: number, time: number, number: number, act: Act): void {
    this.#times[at] = time;
    this.#numbers[at] = number;
    this.#acts[at] = act;
  }
}
