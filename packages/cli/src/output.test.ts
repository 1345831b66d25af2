import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';

import { Output } from './output.ts';

describe('the output', () => {
  test('hands over the lines of a turn in one write, and all of them before it is drained', async () => {
    const writes: string[] = [];
    const output = new Output(
      new Writable({
        decodeStrings: false,
        write: (chunk: string, _encoding, done) => {
          if (chunk !== '') writes.push(chunk);
          done();
        },
      }),
    );
    output.write('a');
    output.write('b');
    await output.drained();
    expect(writes).toEqual(['a\nb\n']);
  });

  test('asks to wait while nobody reads, and not longer', async () => {
    const stream = new PassThrough();
    const output = new Output(stream);
    output.write('x'.repeat(100_000));
    const room = output.room();
    expect(room).not.toBeNull();
    stream.resume();
    await room;
    expect(output.room()).toBeNull();
  });

  test('holds nobody up once its reader went away', async () => {
    const stream = new PassThrough();
    const output = new Output(stream);
    output.write('x'.repeat(100_000));
    stream.destroy(new Error('EPIPE'));
    await output.broken;
    await output.room();
    output.write('y'.repeat(100_000));
    expect(output.room()).toBeNull();
    await output.drained();
  });
});
