/**
 * Dials that are made once, each answered once: what a membership module asks for that chooses its own peers.
 *
 * Invariants
 *  1. Every `connect` is answered by exactly one `DialEnd` with the URL as it was written, unless `stop` comes first.
 *  2. At most one dial of one canonical URL is under way here; whoever asks meanwhile shares it.
 *  3. Dials of `Redial` are left alone, whatever their URLs: the hellos make one connection of two dials.
 */
import type { DialEnd, GossipError, UrlSource } from '@grapevine/core';
import type { DialResult, DialTask } from './dial.ts';
import type { Identity } from './pairing.ts';

export interface SingleDialsDetails {
  /** The canonical URL, or why it is not dialled. */
  readonly place: (url: string, source: UrlSource) => string | GossipError;
  /** The node of this canonical URL, where it is connected. */
  readonly connectedAt: (canonicalUrl: string) => Identity | null;
  /** @returns a function that gives up */
  readonly dial: (task: DialTask) => () => void;
  readonly ended: (end: DialEnd) => void;
}

interface UnderWay {
  /** One for each `connect` that waits, as it was written. */
  readonly urls: string[];
  giveUp: () => void;
}

export class SingleDials {
  readonly #details: SingleDialsDetails;
  readonly #underWay = new Map<string, UnderWay>();
  #state: 'held' | 'running' | 'stopped' = 'held';
  #held: (readonly [string, UrlSource])[] = [];

  constructor(details: SingleDialsDetails) {
    this.#details = details;
  }

  /** Dials now what was asked for before. */
  start(): void {
    if (this.#state !== 'held') return;
    this.#state = 'running';
    const held = this.#held;
    this.#held = [];
    for (const [url, source] of held) this.connect(url, source);
  }

  /** Gives up what is under way; nothing is answered any more. */
  stop(): void {
    this.#state = 'stopped';
    this.#held = [];
    const underWay = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const { giveUp } of underWay) giveUp();
  }

  connect(url: string, source: UrlSource): void {
    if (this.#state === 'stopped') return;
    if (this.#state === 'held') {
      this.#held.push([url, source]);
      return;
    }
    const { place, connectedAt, ended } = this.#details;
    const canonicalUrl = place(url, source);
    if (typeof canonicalUrl !== 'string') {
      ended({ url, outcome: 'failed', peer: null, error: canonicalUrl });
      return;
    }
    const peer = connectedAt(canonicalUrl);
    if (peer !== null) {
      ended({ url, outcome: 'duplicate', peer: { name: peer.name, epoch: peer.epoch } });
      return;
    }
    const underWay = this.#underWay.get(canonicalUrl);
    if (underWay === undefined) this.#dial(url, canonicalUrl, source);
    else underWay.urls.push(url);
  }

  #dial(url: string, canonicalUrl: string, source: UrlSource): void {
    const underWay: UnderWay = { urls: [url], giveUp: () => {} };
    this.#underWay.set(canonicalUrl, underWay);
    const ended = (result: DialResult): void => this.#ended(canonicalUrl, underWay, result);
    underWay.giveUp = this.#details.dial({ url, canonicalUrl, source, target: null, ended });
  }

  #ended(canonicalUrl: string, underWay: UnderWay, result: DialResult): void {
    if (this.#underWay.get(canonicalUrl) !== underWay) return;
    // Before anybody is told, who may want to dial again at once.
    this.#underWay.delete(canonicalUrl);
    for (const url of underWay.urls) {
      if (this.#state === 'running') this.#details.ended({ url, ...result });
    }
  }
}
