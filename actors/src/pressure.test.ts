import { describe, expect, test } from '@jest/globals';

import { type Held, Pressure } from './pressure.ts';

/** A connection that notes what it is told. */
const aConnection = (): Held & { readonly held: Set<object> } => {
  const held = new Set<object>();
  return { held, hold: (by) => void held.add(by), release: (by) => void held.delete(by) };
};
const mebi = 1024 * 1024;

describe('pressure', () => {
  test('holds who brings more while too many bytes wait, until half of them are taken', () => {
    const pressure = new Pressure();
    const [early, late] = [aConnection(), aConnection()];
    pressure.arrived(3 * mebi, early);
    expect(early.held.size).toBe(0);
    pressure.arrived(2 * mebi, late);
    expect([early.held.size, late.held.size]).toEqual([0, 1]);
    pressure.taken(2 * mebi);
    pressure.relieve();
    expect(late.held.size).toBe(1);
    pressure.taken(2 * mebi);
    pressure.relieve();
    expect(late.held.size).toBe(0);
  });

  test('holds who brings more while the handler is behind', () => {
    const pressure = new Pressure();
    const connection = aConnection();
    pressure.backlog = 10_000;
    pressure.arrived(1, connection);
    pressure.relieve();
    expect(connection.held.size).toBe(1);
    pressure.taken(1);
    pressure.backlog = 100;
    pressure.relieve();
    expect(connection.held.size).toBe(0);
  });

  test('holds who brings more while few large updates wait for the handler', () => {
    const pressure = new Pressure();
    const connection = aConnection();
    pressure.backlog = 20;
    pressure.backlogBytes = 17 * mebi;
    pressure.arrived(1, connection);
    pressure.backlogBytes = 9 * mebi;
    pressure.relieve();
    expect(connection.held.size).toBe(1);
    pressure.backlogBytes = 7 * mebi;
    pressure.relieve();
    expect(connection.held.size).toBe(0);
  });

  test('of a party that is no more lets everybody go', () => {
    const pressure = new Pressure();
    const connection = aConnection();
    pressure.arrived(5 * mebi, connection);
    pressure.letGo();
    expect(connection.held.size).toBe(0);
  });
});
