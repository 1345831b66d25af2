/**
 * What every transport must do, as a suite that a test runner and a medium are given to.
 *
 * Invariants
 *  1. No test waits for a duration: it waits for a condition, and fails with its name when that does not come.
 *  2. Every test also proves that `opened` and `closed` come in pairs, one session per peer, and that `close` leaves no
 *     timer behind.
 */
import { endingsScenes } from './conformance/endings.ts';
import { framesScenes } from './conformance/frames.ts';
import { keysScenes } from './conformance/keys.ts';
import { meetingScenes } from './conformance/meeting.ts';
import { ofOneNameScenes } from './conformance/of-one-name.ts';
import { queuesScenes } from './conformance/queues.ts';
import { refusingScenes } from './conformance/refusing.ts';
import { releasingScenes } from './conformance/releasing.ts';
import { roomScenes } from './conformance/room.ts';
import { singleDialsScenes } from './conformance/single-dials.ts';
import type { RegisterScene, Runner } from './conformance/runner.ts';
import { type Harness, Scene } from './conformance/scene.ts';

export type { Runner } from './conformance/runner.ts';
export { type Harness, type Probe, Scene, until } from './conformance/scene.ts';

/** Registers the suite with the runner. */
export function transportSuite({ describe, test, expect }: Runner, name: string, makeHarness: () => Harness): void {
  const scene: RegisterScene = (title, play) =>
    test(title, async () => {
      const stage = new Scene(makeHarness());
      let violations: string[] = [];
      try {
        await play(stage);
      } finally {
        violations = await stage.end();
      }
      expect(violations).toEqual([]);
    });

  describe(`${name}: meeting`, () => meetingScenes(scene, expect));
  describe(`${name}: refusing`, () => refusingScenes(scene, expect));
  describe(`${name}: of one name`, () => ofOneNameScenes(scene, expect));
  describe(`${name}: room`, () => roomScenes(scene, expect));
  describe(`${name}: keys`, () => keysScenes(scene, expect));
  describe(`${name}: frames`, () => framesScenes(scene, expect));
  describe(`${name}: queues`, () => queuesScenes(scene, expect));
  describe(`${name}: single dials`, () => singleDialsScenes(scene, expect));
  describe(`${name}: releasing`, () => releasingScenes(scene, expect));
  describe(`${name}: endings`, () => endingsScenes(scene, expect));
}
