/**
 * The seeker: asks every source where nodes are, again and again, and hands on what they find, source by source.
 *
 * It is no actor: the tracker owns it, and is called back.
 *
 * Invariants
 *  1. One question per source is under way at once. Who asks meanwhile is answered by one more question after it: the one
 *     under way may have read what has changed since.
 *  2. A question is given up after `timeoutMs`, is no longer under way, and the source can be asked again: one answer that
 *     never comes must not silence it for good. An answer that comes late is taken unless a newer one was: a slow source
 *     is slow, not useless.
 *  3. `found` gets URLs of nodes only, each once. A failed question finds nothing new, and what was found before stands.
 *  4. What fails is logged once as a warning, and at level `debug` until it succeeds again.
 *  5. After `stop` nothing is called back, and no timer and no watch is left.
 */

import { type Discovery, GossipError, isGossipError, show } from '@grapevine/core';

import { type Cancel, type Clock, systemClock } from '../kernel/clock.ts';
import { harmless, type Logger } from '../kernel/logger.ts';
import { urlProblem } from './node-url.ts';
import { reports } from './source.ts';

export interface SeekerParts {
  readonly sources: readonly Discovery[];
  /** What the source of this index found now, in place of what it found before. Must not throw. */
  readonly found: (index: number, urls: readonly string[]) => void;
  readonly logger: Logger;
  /** How long a source may take, in milliseconds. Longer than what it bounds itself, so that its own error is heard. @default 5000 */
  readonly timeoutMs?: number;
  /** What is wrong with a text as a URL, where a transport dials others than WebSockets. @default must be `ws:` or `wss:` */
  readonly urlProblem?: (text: string) => string | undefined;
  /** @default systemClock */
  readonly clock?: Clock;
}

export class Seeker {
  readonly #inquiries: readonly Inquiry[];

  constructor({ sources, found, ...parts }: SeekerParts) {
    const shared = {
      logger: harmless(parts.logger),
      timeoutMs: parts.timeoutMs ?? 5000,
      urlProblem: parts.urlProblem ?? urlProblem,
      clock: parts.clock ?? systemClock,
    };
    this.#inquiries = sources.map(
      (source, index) => new Inquiry({ ...shared, source, found: (urls) => found(index, urls) }),
    );
  }

  /** Asks all sources now, side by side; from then on also each that says that it has changed. */
  seek(): void {
    for (const inquiry of this.#inquiries) inquiry.ask();
  }

  /** For good. */
  stop(): void {
    for (const inquiry of this.#inquiries) inquiry.stop();
  }
}

interface InquiryParts {
  readonly source: Discovery;
  readonly found: (urls: readonly string[]) => void;
  readonly logger: Logger;
  readonly timeoutMs: number;
  readonly urlProblem: (text: string) => string | undefined;
  readonly clock: Clock;
}

/** All that is asked of one source. */
class Inquiry {
  readonly #parts: InquiryParts;
  /** The number of the newest question, and of the newest that was answered. */
  #asked = 0;
  #answered = 0;
  /** Gives the question under way up. */
  #cancelDeadline: Cancel | null = null;
  #askAgain = false;
  #hasFailed = false;
  /** What was wrong with the newest answer: said once, as long as it stays wrong. */
  #flaws: ReadonlySet<string> = new Set();
  #endWatch: (() => void) | null = null;
  #isStopped = false;

  constructor(parts: InquiryParts) {
    this.#parts = parts;
  }

  ask(): void {
    if (this.#isStopped) return;
    if (this.#cancelDeadline !== null) {
      this.#askAgain = true;
      return;
    }
    const { source, timeoutMs, clock } = this.#parts;
    this.#asked += 1;
    const question = this.#asked;
    this.#cancelDeadline = clock.after(timeoutMs, () => {
      this.#failed(
        new GossipError(
          'DISCOVERY_FAILED',
          `'${source.name}' did not answer within ${timeoutMs} ms; it is asked again.`,
          {
            context: { source: source.name, timeoutMs },
          },
        ),
      );
      this.#ended(question);
    });
    findIn(source).then(
      (answer) => {
        if (this.#isStopped) return;
        if (question > this.#answered) this.#take(question, answer);
        this.#ended(question);
      },
      (error: unknown) => {
        // One that was given up has failed already.
        if (this.#isStopped || question !== this.#asked || this.#cancelDeadline === null) return;
        this.#failed(asDiscoveryError(source, error));
        this.#ended(question);
      },
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
    this.#endWatch?.();
    this.#endWatch = null;
  }

  #take(question: number, answer: unknown): void {
    const { source, found, logger, urlProblem: problemOf } = this.#parts;
    if (!Array.isArray(answer)) {
      this.#failed(
        new GossipError(
          'DISCOVERY_FAILED',
          `'${source.name}' must find an array of URLs, and found ${show(answer)}; it is asked again.`,
          { context: { source: source.name } },
        ),
      );
      return;
    }
    this.#answered = question;
    if (this.#hasFailed) logger.info({ source: source.name }, `'${source.name}' answers again`);
    this.#hasFailed = false;
    const urls = new Set<string>();
    const flaws: GossipError[] = reports(source) ? [...source.problems()] : [];
    for (const entry of answer as readonly unknown[]) {
      const problem = typeof entry === 'string' ? problemOf(entry) : 'must be a text';
      if (problem === undefined) urls.add(entry as string);
      else
        flaws.push(
          new GossipError('DISCOVERY_FAILED', `'${source.name}' found what is left out: ${show(entry)} ${problem}.`, {
            context: { source: source.name },
          }),
        );
    }
    this.#note(flaws);
    found([...urls]);
  }

  #note(flaws: readonly GossipError[]): void {
    const { source, logger } = this.#parts;
    const before = this.#flaws;
    this.#flaws = new Set(flaws.map(({ message }) => message));
    for (const error of flaws)
      logger[before.has(error.message) ? 'debug' : 'warn']({ err: error, source: source.name }, error.message);
  }

  #failed(error: GossipError): void {
    const { source, logger } = this.#parts;
    logger[this.#hasFailed ? 'debug' : 'warn']({ err: error, source: source.name }, error.message);
    this.#hasFailed = true;
  }

  /** The question under way has its answer, or was given up. */
  #ended(question: number): void {
    // A late answer ends nothing: another question may be under way.
    if (question !== this.#asked || this.#cancelDeadline === null) return;
    this.#cancelDeadline();
    this.#cancelDeadline = null;
    this.#watch();
    if (!this.#askAgain) return;
    this.#askAgain = false;
    this.ask();
  }

  /** After the first question, so that a change is one against what was found. */
  #watch(): void {
    const { source } = this.#parts;
    if (this.#isStopped || this.#endWatch !== null || source.watch === undefined) return;
    try {
      this.#endWatch = source.watch(() => this.ask());
    } catch (error) {
      // It is asked whenever the membership seeks, as one without a watch is.
      this.#endWatch = () => {};
      this.#parts.logger.warn(
        { err: error, source: source.name },
        `'${source.name}' cannot be watched; it is asked now and then`,
      );
    }
  }
}

/** Whatever a third party's `find` does, it is a promise. */
async function findIn(source: Discovery): Promise<unknown> {
  return source.find();
}

function asDiscoveryError(source: Discovery, error: unknown): GossipError {
  if (isGossipError(error)) return error;
  const reason = (error as Partial<Error> | null | undefined)?.message ?? String(error);
  return new GossipError('DISCOVERY_FAILED', `'${source.name}' failed: ${reason}; it is asked again.`, {
    context: { source: source.name },
    cause: error,
  });
}
