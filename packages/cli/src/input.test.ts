import { afterEach, describe, expect, test } from '@jest/globals';
import { createGrapevine, type Grapevine } from '@grapevine/node';

import { Input } from './input.ts';

let node: Grapevine;
afterEach(() => node.close());

async function* chunks(...texts: string[]): AsyncIterable<string> {
  yield* texts;
}

describe('the input of an agent', () => {
  test('is busy until its last line is carried out, which may end without a line feed', async () => {
    node = await createGrapevine({ name: 'a', logger: false });
    let judge = (_verdict: 'ok'): void => {};
    const asked = new Promise<void>((resolve) => {
      const push = (): Promise<'ok'> => {
        resolve();
        return new Promise((answer) => (judge = answer));
      };
      node.gossip('g', { handler: { push }, judgeWrites: true });
    });
    const gossip = node.gossip('g');
    const complaints: string[] = [];
    const input = new Input({
      gossips: new Map([['g', gossip]]),
      answerStatus: () => undefined,
      complain: (_line, problem) => complaints.push(problem),
    });
    const read = input.read(chunks('{"id": "last", "value": 1}'));
    await asked;
    // As an agent that is told to stop now: it leaves when the input is idle.
    const left = input.idle().then(() => node.close());
    judge('ok');
    await Promise.all([left, read]);
    expect(complaints).toEqual([]);
  });
});
