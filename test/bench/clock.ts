/**
 * One clock for all processes of a benchmark.
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

/** Waits for the time that a measurement is about, never for something to happen. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
