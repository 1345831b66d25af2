/**
 * The matrix: every scenario with every cast, and what was seen of each row.
 *
 * Invariant: a row that was not seen to work has failed, with a reason; only a row that is not for a cast is left out.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { makeProject, type Project } from '../packages/project.ts';
import { type Row, type Scenario, works } from './scenarios.ts';
import { Scene } from './scene.ts';
import type { Runtime } from './runtimes.ts';

export interface Result {
  /** What came of each row, by its id. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** In full, with what every agent said. */
  readonly failures: readonly string[];
}

export interface PlayOptions {
  /** A project in which the packed packages are installed, made by `makePlace`. */
  readonly project: string;
  readonly cast: readonly Runtime[];
  readonly scenarios: readonly Scenario[];
  /** Told of each row as soon as there is something to tell. */
  readonly onRow?: (row: Row, outcome: string) => void;
  readonly onScenario?: (tookMs: number) => void;
}

export type Place = Extract<Project, { readonly hindrance: null }>;

/**
 * A project with what is published, packed of this build, and the programs of the matrix.
 * @throws when the registry cannot be reached
 */
export function makePlace(root: string): Place {
  const project = makeProject({ ours: ['@grapevine/node', '@grapevine/cli'] });
  if (project.folder === null) throw new Error(`no project with the packages can be made: ${project.hindrance}`);
  for (const program of ['program.mjs', 'bundled.mjs'])
    copyFileSync(join(root, 'test', 'runtimes', program), join(project.folder, program));
  return project;
}

export async function play({ project, cast, scenarios, onRow, onScenario }: PlayOptions): Promise<Result> {
  const outcomes = new Map<string, string>();
  const failures: string[] = [];
  const isAlone = new Set(cast.map(({ id }) => id)).size === 1;
  for (const scenario of scenarios) {
    if (scenario.alone === true && !isAlone) continue;
    const open = [...scenario.rows];
    const saw = (id: string, outcome = works): void => {
      const row = open.shift();
      if (row?.id !== id) throw new Error(`${id} was seen, and it is the turn of ${row?.id}`);
      outcomes.set(id, outcome);
      onRow?.(row, outcome);
    };
    const scene = new Scene({ project, cast });
    const beganMs = performance.now();
    try {
      await scenario.play(scene, saw);
      if (open.length > 0) throw new Error('the scenario ended before it');
    } catch (error) {
      const text = String((error as Error).stack ?? error);
      const [failed, ...unreached] = open;
      if (failed === undefined) throw error;
      failures.push(`${cast.map(({ id }) => id).join(', ')}: ${failed.id}: ${text}`);
      outcomes.set(failed.id, '**fails**');
      onRow?.(failed, `fails: ${text}`);
      for (const row of unreached) outcomes.set(row.id, 'not reached');
    } finally {
      await scene.close();
      onScenario?.(performance.now() - beganMs);
    }
  }
  return { outcomes, failures };
}
