/**
 * Durations as people write them: `20s`, `1m`, `500ms`.
 *
 * Invariant: a number without a unit is no duration; whoever leaves it out means something else than the next one.
 */
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** @returns milliseconds, or nothing if the text is no duration above zero */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const durationMs = Number(amount) * (unitMs[unit] as number);
  return durationMs > 0 && durationMs < 2 ** 31 ? durationMs : undefined;
}

/** A duration in few letters: `0.42 ms`, `12 ms`, `3.4 s`. */
export function showDuration(durationMs: number): string {
  if (durationMs < 10) return `${durationMs.toFixed(durationMs < 1 ? 2 : 1)} ms`;
  return durationMs < 1000 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}
