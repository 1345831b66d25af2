/**
 * One clock for all processes of a benchmark, and time that passes by it.
 *
 * The monotonic clock of the operating system is the same in every process of a machine, so a time taken where an
 * update is written and one taken where it arrives can be subtracted; the way of the messages that report them is in
 * neither.
 */

/** Milliseconds since an instant that all processes of this machine share. */
export function sharedNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** Lets a time pass that a measurement or a plan is about, or until the next look: never in the hope that something happens. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** @returns the outcome, or `undefined` when it is not there in time */
export async function inTime<T>(outcome: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}
