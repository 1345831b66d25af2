/**
 * The question to a former self: a node came with the name of a peer and a higher epoch; does that peer live?
 *
 * A restarted node takes the place of its former self; a second living node of the name is refused. Who came need not
 * be believed: the former is pinged, and what it does tells.
 *
 * Invariants
 *  1. `answered` is called once, never from inside `askFormer`, and not at all once the question was given up.
 *  2. A ping or pong is an answer at once, and so is the end. Other frames may have been sent before a crash, with the
 *     end still behind them on the way, so they count only when the time is up.
 *  3. Silence is counted in two turns of a timer: a node that stood still itself takes what has come in meanwhile
 *     before it blames anybody.
 *
 * Source: docs/wire.md, "One connection per pair".
 */
import type { Link } from './session.ts';

// As it was when this module was loaded: fake timers of a test replace it.
const { queueMicrotask } = globalThis;

export interface QuestionDetails {
  readonly timeoutMs: number;
  readonly setTimer: (delayMs: number, run: () => void) => () => void;
  readonly answered: (lives: boolean) => void;
}

/** @returns a function that gives up */
export function askFormer(former: Link, { timeoutMs, setTimer, answered }: QuestionDetails): () => void {
  let over = false;
  const { framesIn } = former.counters;
  const giveUp = (): void => {
    over = true;
    stopListening();
    cancelTimer();
  };
  const answer = (lives: boolean): void => {
    if (over) return;
    giveUp();
    answered(lives);
  };
  /**
   * A session that we do not read cannot be heard. It counts as living: it was paused because it sent more than we take.
   * Wrongly refused, the newcomer is back after its backoff, when we have read on; wrongly replaced, two living nodes
   * would take turns. Reading on just for this would take in what the pause is to hold off.
   */
  const timeIsUp = (): void => answer(former.counters.framesIn > framesIn || !former.reads);
  const stopListening = former.ask((lives) => {
    if (lives) answer(true);
    // Its successor of the same epoch, if that is why it ended, is not yet in its place.
    else queueMicrotask(() => answer(false));
  });
  let cancelTimer = setTimer(timeoutMs / 2, () => {
    cancelTimer = setTimer(timeoutMs / 2, timeIsUp);
  });
  return giveUp;
}
