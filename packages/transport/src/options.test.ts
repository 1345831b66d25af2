import { describe, expect, test } from '@jest/globals';
import { resolveOptions, type TransportOptions } from './options.ts';

describe('the options of a transport', () => {
  test('have defaults for all but name and epoch', () => {
    expect(resolveOptions({ name: 'a', epoch: 1 })).toMatchObject({
      cluster: 'default',
      listen: null,
      maxFrameBytes: 2_097_152,
      softQueueBytes: 1_048_576,
      hardQueueBytes: 16_777_216,
      hardQueueFrames: 32_768,
      pingIntervalMs: 10_000,
      maxConnections: 1024,
      rivalTimeoutMs: 500,
    });
    expect(resolveOptions({ name: 'a', epoch: 1, listen: { port: 7001 } }).listen).toEqual({
      host: '127.0.0.1',
      port: 7001,
    });
  });

  test('are told wrong all at once, each with path, value and what would be right', () => {
    const wrong = {
      name: '',
      epoch: 1.5,
      listen: { port: 70_000 },
      advertise: 'no url',
      pingIntervalMs: 2 ** 31,
      pings: true,
      redialMinMs: 500,
      redialMaxMs: 400,
      softQueueBytes: 2048,
      hardQueueBytes: 1024,
      maxConnections: 0,
      handshakeTimeoutMs: 300,
      rivalTimeoutMs: 301,
    } as unknown as TransportOptions;
    let thrown: unknown;
    try {
      resolveOptions(wrong);
    } catch (error) {
      thrown = error;
    }
    const paths = [
      'maxConnections',
      'pingIntervalMs',
      'pings',
      'name',
      'epoch',
      'advertise',
      'hardQueueBytes',
      'redialMaxMs',
      'rivalTimeoutMs',
      'listen.port',
    ];
    expect(thrown).toMatchObject({ code: 'OPTIONS_INVALID', context: { violations: paths.map((path) => ({ path })) } });
    expect((thrown as Error).message).toContain("'redialMaxMs' must be at least redialMinMs");
  });

  test('leave room for two of the largest frames', () => {
    const maxFrameBytes = 2 ** 25;
    expect(resolveOptions({ name: 'a', epoch: 1, maxFrameBytes }).hardQueueBytes).toBe(2 ** 26);
    const given = { name: 'a', epoch: 1, maxFrameBytes, hardQueueBytes: 2 ** 24 };
    expect(() => resolveOptions(given)).toThrow("'hardQueueBytes' must be at least softQueueBytes and maxFrameBytes");
  });

  test('leave a rival less time than a handshake has', () => {
    expect(resolveOptions({ name: 'a', epoch: 1, handshakeTimeoutMs: 301 }).rivalTimeoutMs).toBe(151);
    expect(resolveOptions({ name: 'a', epoch: 1, handshakeTimeoutMs: 300, rivalTimeoutMs: 300 }).rivalTimeoutMs).toBe(
      300,
    );
  });

  test('want a port to listen on, not guess one', () => {
    const listen = {} as { port: number };
    expect(() => resolveOptions({ name: 'a', epoch: 1, listen })).toThrow("'listen.port' must be given");
  });
});
