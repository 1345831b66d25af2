/**
 * Questions that are open: whether somebody lives, for ourselves and for others who asked us to ask.
 *
 * Invariants
 *  1. Of one node one probe is open at most.
 *  2. Every question ends: by an answer, or at its deadline.
 *  3. What others have us ask is bounded, and what one of them has: of one node one question of an asker is open at most, also
 *     for a moment after its answer, so that the node is not asked again at once.
 *
 * Source: SWIM, section 3.1; Lifeguard, section IV-A (nacks).
 */

/** Times are on the clock that stands still while this process does. */
export interface Probe {
  readonly sequence: number;
  readonly name: string;
  readonly epoch: number;
  /** The dial is under way, or its answer is waited for, or others have been asked. */
  stage: 'dial' | 'direct' | 'indirect';
  /** When others are asked. */
  readonly directMs: number;
  deadlineMs: number;
  /** How many others were asked, and who of them said that they live but the other does not answer. */
  asked: number;
  readonly nacks: Set<string>;
}

export interface Relay {
  readonly sequence: number;
  readonly name: string;
  readonly asker: string;
  /** Of its latest question. */
  askerSequence: number;
  /** `answered`: it is kept for a moment, and answers the asker's next question about the same node. */
  stage: 'dial' | 'direct' | 'answered';
  /** When the node was last asked. */
  askedMs: number;
  /** When the asker is told that there is no answer so far; Infinity once it has been. */
  nackMs: number;
  /** Infinity: the asker waits no longer, and the dial goes on. */
  deadlineMs: number;
}

/** More than any cluster asks of one node at once. */
const MAX_RELAYS = 1000;
/** More than one node has another ask at once. */
const MAX_RELAYS_OF_ONE = 64;

export class Probes {
  readonly probes: Map<number, Probe> = new Map<number, Probe>();
  readonly relays: Map<number, Relay> = new Map<number, Relay>();
  readonly #names = new Set<string>();
  /** By the asker, and by the node that is asked about. */
  readonly #relaysOf = new Map<string, Map<string, Relay>>();
  #sequence = 0;

  isOpen(name: string): boolean {
    return this.#names.has(name);
  }

  open(name: string, epoch: number, directMs: number, deadlineMs: number): Probe {
    const sequence = ++this.#sequence;
    const nacks = new Set<string>();
    const probe: Probe = { sequence, name, epoch, stage: 'direct', directMs, deadlineMs, asked: 0, nacks };
    this.probes.set(sequence, probe);
    this.#names.add(name);
    return probe;
  }

  close({ sequence, name }: Probe): void {
    if (this.probes.delete(sequence)) this.#names.delete(name);
  }

  /** Whoever is no more, or is another, need not be asked. */
  drop(name: string): void {
    if (!this.#names.has(name)) return;
    for (const probe of this.probes.values()) if (probe.name === name) this.close(probe);
  }

  /** The question of this asker about this node, while it is open or has just been answered. */
  relayOf(asker: string, name: string): Relay | undefined {
    return this.#relaysOf.get(asker)?.get(name);
  }

  /** @returns undefined where too many are open, of all or of this asker */
  relay(details: Omit<Relay, 'sequence' | 'stage'>): Relay | undefined {
    const { asker, name } = details;
    const ofAsker = this.#relaysOf.get(asker) ?? new Map<string, Relay>();
    if (this.relays.size >= MAX_RELAYS || ofAsker.size >= MAX_RELAYS_OF_ONE) return undefined;
    const relay: Relay = { ...details, sequence: ++this.#sequence, stage: 'direct' };
    this.relays.set(relay.sequence, relay);
    this.#relaysOf.set(asker, ofAsker.set(name, relay));
    return relay;
  }

  closeRelay({ sequence, asker, name }: Relay): void {
    this.relays.delete(sequence);
    const ofAsker = this.#relaysOf.get(asker);
    ofAsker?.delete(name);
    if (ofAsker?.size === 0) this.#relaysOf.delete(asker);
  }

  /** The next moment at which one of them wants something. */
  dueMs(): number {
    let dueMs = Infinity;
    for (const { stage, directMs, deadlineMs } of this.probes.values())
      dueMs = Math.min(dueMs, stage === 'indirect' ? deadlineMs : directMs);
    for (const { nackMs, deadlineMs } of this.relays.values()) dueMs = Math.min(dueMs, nackMs, deadlineMs);
    return dueMs;
  }
}
