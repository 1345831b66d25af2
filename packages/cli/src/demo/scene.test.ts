import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from '@jest/globals';

import { colours, noColours, renderScene, type Scene, WIDTH } from './scene.ts';
import { hasPassed, renderSummary, type Summary } from './summary.ts';

const vitals = { cpu: 123.4, rss: 1234.5, heap: 123.4, delay: 123.4, ids: 12_345, pid: 1 };

const scene: Scene = {
  watched: 'node-1',
  elapsedMs: 12_345,
  forMs: 20_000,
  rows: [
    { name: 'node-1', up: true, vitals, heardMs: 900 },
    { name: 'node-2', up: false, vitals: undefined, heardMs: undefined },
    { name: 'node-64', up: false, vitals, heardMs: 12_345 },
  ],
  latency: { count: 12_345, p50Ms: 0.25, p99Ms: 12, recent: Array.from({ length: 80 }, (_, i) => i / 4) },
  story: [{ atMs: 8000, text: 'node-2 killed (SIGKILL to process 1234567)', tone: 'bad' }],
};

const summary: Summary = {
  nodes: 5,
  updates: 2400,
  delivered: 12_000,
  lost: 0,
  p50Ms: 0.5,
  p99Ms: 2,
  maxMs: 4,
  measured: 400,
  noticedMs: 3,
  caughtUpMs: 40,
  equal: true,
  crashed: 0,
};

describe('the picture', () => {
  test('fits into 80 columns, and says the same with colours', () => {
    const plain = [...renderScene(scene, noColours), ...renderSummary(summary, noColours)];
    const painted = [...renderScene(scene, colours), ...renderSummary(summary, colours)];
    expect(plain.filter((line) => line.length > WIDTH + 1)).toEqual([]);
    expect(painted.map((line) => stripVTControlCharacters(line))).toEqual(plain);
  });

  test('shows of a node only what is known of it', () => {
    const rows = renderScene(scene, noColours).filter((line) => /node-\d+ +(up|down)/.test(line));
    expect(rows[0]).toMatch(/● node-1 +up +123\.4 % +1235 MB +123 MB +123\.4 ms +12,345 +0\.9 s ago$/);
    expect(rows[1]).toMatch(/✖ node-2 +down[ ·]+$/);
  });
});

describe('the summary', () => {
  test('passes only when nothing is lost, all are equal, none crashed and the killed node caught up', () => {
    expect(hasPassed(summary)).toBe(true);
    const failures: Partial<Summary>[] = [{ lost: 1 }, { equal: false }, { caughtUpMs: null }, { crashed: 1 }];
    for (const failure of failures) expect(hasPassed({ ...summary, ...failure })).toBe(false);
  });
});
