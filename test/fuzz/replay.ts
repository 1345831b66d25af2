/** Plays conversations against a node, one after the other, and says what did not come as it should. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { play } from './caller.ts';
import { Oracle } from './oracle.ts';
import { Scene } from './scene.ts';
import { type Conversation, readScript } from './script.ts';

/** @returns by name, the conversations of each file of the corpus */
export function readCorpus(folder: string): Map<string, Conversation[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  return new Map(files.map((name) => [name.replace('.txt', ''), readScript(readFileSync(join(folder, name), 'utf8'))]));
}

/** @returns what did not hold; empty where all did. The honest must be equal in the end, unless the liars spoke in their names */
export async function replay(
  conversations: readonly Conversation[],
  mustConverge: boolean,
): Promise<readonly string[]> {
  const oracle = new Oracle();
  const scene = await Scene.start({
    name: 'corpus',
    medium: 'sockets',
    honest: 1,
    mayRestart: !mustConverge,
    oracle,
    heard: () => {},
  });
  try {
    for (const [index, conversation] of conversations.entries()) {
      const outcome = await play({ url: scene.url, key: scene.key }, conversation);
      const expected = conversation.outcome === null ? outcome : conversation.outcome;
      if (outcome !== expected) oracle.fail(`connection ${index + 1}: ${outcome} and not ${expected}`);
    }
    oracle.look();
    scene.look();
    if (mustConverge) await scene.converge();
    await scene.answers();
  } finally {
    await scene.close();
    oracle.retire();
  }
  return oracle.failures;
}
