/**
 * The wall clock with a resolution below a millisecond, so that processes of one machine can compare what they stamp.
 *
 * Invariant: it is never more than `TOLERANCE_MS` away from `Date.now()`, also after the machine slept or was set anew.
 */
const TOLERANCE_MS = 5;

let originMs = performance.timeOrigin;

/** Milliseconds since 1970, to the microsecond. */
export function wallMs(): number {
  const roughMs = Date.now();
  const offMs = roughMs - (originMs + performance.now());
  if (Math.abs(offMs) > TOLERANCE_MS) originMs += offMs;
  return Math.round((originMs + performance.now()) * 1000) / 1000;
}
