/**
 * Figures of simulations, as people read them.
 */

/** Three significant digits. */
export function showFigure(value: number): string {
  if (Number.isNaN(value)) return 'not counted';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

export function showBytes(bytes: number): string {
  return `${showFigure(bytes)} B`;
}
