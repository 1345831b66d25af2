import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dispatch, spawn, start, stop } from 'nact';

import { isGone, spawnChild, stopTree, tell } from './actor.ts';
import { ask } from './ask.ts';
import type { ActorSpec, Self } from './behaviour.ts';
import type { Ref } from './nact.ts';
import { turns } from './testing/event-loop.ts';

interface Question {
  readonly text: string;
  readonly replyTo: Ref<string>;
}

let system: Ref<never>;
beforeEach(() => {
  system = start();
});
afterEach(() => stop(system));

const anActor = (
  receive: (question: Question, self: Self<Question>) => void,
  more: Partial<ActorSpec<Question>> = {},
): Ref<Question> => spawnChild<Question>(system, { name: 'asked', start: () => ({ receive }), ...more });
const question =
  (text: string) =>
  (replyTo: Ref<string>): Question => ({ text, replyTo });
const failure = (code: string): unknown => expect.objectContaining({ name: 'GossipError', code });
const patience = { timeoutMs: 60_000 };

describe('a question', () => {
  test('is answered by tell', async () => {
    const echo = anActor(({ text, replyTo }) => void tell(replyTo, `${text}!`));
    await expect(ask(echo, question('hello'), patience)).resolves.toBe('hello!');
  });

  test('is answered by nact’s dispatch, also by a user’s plain actor', async () => {
    const answer = ({ text, replyTo }: Question): void => dispatch(replyTo, `${text}!`);
    const plain: Ref<Question> = spawn(system, (_: unknown, message: Question) => answer(message), 'plain');
    await expect(ask(anActor(answer), question('hello'), patience)).resolves.toBe('hello!');
    await expect(ask(plain, question('hello'), patience)).resolves.toBe('hello!');
  });

  test('counts its first answer, and leaves nowhere to answer afterwards', async () => {
    let place: Ref<string> | undefined;
    const echo = anActor(({ replyTo }) => {
      place = replyTo;
      tell(replyTo, 'first');
      tell(replyTo, 'second');
      dispatch(replyTo, 'third');
    });
    await expect(ask(echo, question('?'), patience)).resolves.toBe('first');
    expect(isGone(place as Ref<string>)).toBe(true);
  });

  test('to one who is gone fails at once', async () => {
    const gone = anActor(() => {});
    await stopTree(gone);
    const plain: Ref<Question> = spawn(system, (state: unknown) => state, 'plain');
    stop(plain);
    await expect(ask(gone, question('?'), patience)).rejects.toEqual(failure('ACTOR_GONE'));
    await expect(ask(plain, question('?'), patience)).rejects.toEqual(failure('ACTOR_GONE'));
  });

  test('fails when the actor stops while it waits', async () => {
    const silent = anActor(() => {});
    const plain: Ref<Question> = spawn(system, (state: unknown) => state, 'plain');
    const answers = [ask(silent, question('?'), patience), ask(plain, question('?'), patience)];
    const outcomes = Promise.allSettled(answers);
    await turns();
    stop(silent);
    stop(plain);
    const gone = { status: 'rejected', reason: failure('ACTOR_GONE') };
    expect(await outcomes).toEqual([gone, gone]);
  });

  test('fails when the actor crashes on it, and not when it crashes on another', async () => {
    const fragile = anActor(({ text, replyTo }) => {
      if (text === 'poison') throw new Error('poison');
      tell(replyTo, 'fine');
    });
    const poisoned = ask(fragile, question('poison'), patience);
    const other = ask(fragile, question('other'), patience);
    await expect(poisoned).rejects.toEqual(failure('ACTOR_CRASHED'));
    await expect(other).resolves.toBe('fine');
  });

  test.each(['resume', 'stop'] as const)(
    'fails with what an actor of nact threw on it, whose onCrash says %s, and with no error of another message',
    async (decision) => {
      const react = (_state: unknown, { text, replyTo }: Question): null => {
        if (text === 'poison') throw new RangeError('poisoned');
        dispatch(replyTo, text);
        return null;
      };
      const plain: Ref<Question> = spawn(system, react, `plain ${decision}`.replace(' ', '-'), {
        onCrash: (_message: unknown, _error: unknown, context: Record<string, unknown>) => context[decision] as never,
      });
      const poisoned = ask(plain, question('poison'), patience);
      const other = ask(plain, question('other'), patience);
      const outcomes = await Promise.allSettled([poisoned, other]);
      const cause: unknown = expect.objectContaining({ message: 'poisoned' });
      expect(outcomes[0]).toEqual({
        status: 'rejected',
        reason: expect.objectContaining({ code: 'ACTOR_CRASHED', cause }),
      });
      expect(outcomes[1]).toEqual(
        decision === 'resume'
          ? { status: 'fulfilled', value: 'other' }
          : { status: 'rejected', reason: failure('ACTOR_GONE') },
      );
    },
  );

  test('takes the answer that the onCrash of an actor of nact gives', async () => {
    const react = (): never => {
      throw new Error('always');
    };
    const plain: Ref<Question> = spawn(system, react, 'answering', {
      onCrash: (message: Question, _error: unknown, context: { readonly resume: never }) => {
        dispatch(message.replyTo, 'from onCrash');
        return context.resume;
      },
    } as never);
    await expect(ask(plain, question('?'), patience)).resolves.toBe('from onCrash');
  });

  test('fails at once when the mailbox has no room for it, or drops it for another', async () => {
    const answer = ({ text, replyTo }: Question): void => void tell(replyTo, text);
    const rejecting = anActor(answer, { mailbox: { limit: 1, overflow: 'reject' } });
    const dropping = anActor(answer, { name: 'dropping', mailbox: { limit: 1, overflow: 'drop-oldest' } });
    const outcomes = await Promise.allSettled([
      ask(rejecting, question('1'), patience),
      ask(rejecting, question('2'), patience),
      ask(dropping, question('3'), patience),
      ask(dropping, question('4'), patience),
    ]);
    const full = { status: 'rejected', reason: failure('MAILBOX_FULL') };
    expect(outcomes).toEqual([{ status: 'fulfilled', value: '1' }, full, full, { status: 'fulfilled', value: '4' }]);
  });

  test('fails when no answer comes in time', async () => {
    await expect(
      ask(
        anActor(() => {}),
        question('?'),
        { timeoutMs: 1 },
      ),
    ).rejects.toEqual(failure('ASK_TIMEOUT'));
  });

  test('waits long when it is told to wait longer than a timer can', async () => {
    let answer = (): void => {};
    const slow = anActor(({ replyTo }) => (answer = () => void tell(replyTo, 'late')));
    const asked = ask(slow, question('?'), { timeoutMs: 2 ** 31 });
    const timer = new Promise((resolve) => setTimeout(resolve, 5, 'no answer yet'));
    await expect(Promise.race([asked, timer])).resolves.toBe('no answer yet');
    answer();
    await expect(asked).resolves.toBe('late');
  });

  test('that cannot be put rejects with the reason', async () => {
    const reason = new Error('no such question');
    const broken = (): never => {
      throw reason;
    };
    await expect(
      ask(
        anActor(() => {}),
        broken,
        patience,
      ),
    ).rejects.toBe(reason);
  });
});
