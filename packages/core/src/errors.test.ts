import { describe, expect, test } from '@jest/globals';
import { errorCodes, GossipError, isGossipError } from './errors.ts';

describe('an error', () => {
  test('has the fault of its code, and says that nothing changed, unless told otherwise', () => {
    for (const [code, fault] of Object.entries(errorCodes))
      expect(new GossipError(code as keyof typeof errorCodes, 'What happened.')).toMatchObject({
        name: 'GossipError',
        code,
        fault,
        stateChanged: false,
        context: {},
        message: 'What happened.',
      });
    const cause = new Error('deeper');
    expect(
      new GossipError('PORT_IN_USE', 'x', { fault: 'caller', stateChanged: true, context: { port: 1 }, cause }),
    ).toMatchObject({ fault: 'caller', stateChanged: true, context: { port: 1 }, cause });
  });

  test('has a cause only where one was given', () => {
    expect('cause' in new GossipError('PORT_IN_USE', 'x')).toBe(false);
    expect('cause' in new GossipError('PORT_IN_USE', 'x', { cause: undefined })).toBe(true);
  });

  test('is told apart by what it is, not by which copy of the class made it', () => {
    expect(isGossipError(new GossipError('PORT_IN_USE', 'x'))).toBe(true);
    expect(isGossipError({ name: 'GossipError', code: 'PORT_IN_USE' })).toBe(true);
    for (const other of [new Error('x'), { name: 'GossipError' }, { code: 'PORT_IN_USE' }, null, undefined, 'x'])
      expect(isGossipError(other)).toBe(false);
  });
});
