import { describe, expect, test } from '@jest/globals';
import { flatness, type Point } from './verdict.ts';

/** A reading every ten seconds, for so many minutes. */
const readings = (minutes: number, height: (minute: number) => number): Point[] =>
  Array.from({ length: minutes * 6 }, (_, index) => ({ x: index / 6, y: height(index / 6) }));
const wave = (minute: number): number => Math.sin(minute * 7);

describe('memory is flat', () => {
  test('where it goes up and down and stays', () => {
    expect(flatness(readings(20, (minute) => 20 + wave(minute)))).toMatchObject({ isFlat: true });
  });

  test('where single readings are far out', () => {
    const spiky = readings(20, (minute) => 20 + wave(minute) / 10).map((point, index) =>
      index % 10 === 9 ? { ...point, y: 60 } : point,
    );
    expect(flatness(spiky).isFlat).toBe(true);
  });
});

describe('memory is not flat', () => {
  test('where an hour adds more than a twentieth, though the run is shorter than that', () => {
    const { perHour, shift, isFlat } = flatness(readings(20, (minute) => 20 + (1.2 * minute) / 60));
    expect(perHour).toBeCloseTo(0.06, 2);
    expect(shift).toBeLessThan(0.05);
    expect(isFlat).toBe(false);
  });

  test('where it shrinks as fast: it was not steady yet', () => {
    expect(flatness(readings(20, (minute) => 20 - (1.2 * minute) / 60)).isFlat).toBe(false);
  });

  test('where the end is higher than the begin by more than a tenth', () => {
    const step = flatness(readings(20, (minute) => (minute < 4 ? 20 : 23)));
    expect(step.shift).toBeCloseTo(0.15);
    expect(step.isFlat).toBe(false);
  });

  test('where nothing was measured', () => {
    expect(flatness([]).isFlat).toBe(false);
  });
});
