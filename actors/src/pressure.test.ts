import { describe, expect, test } from '@jest/globals';

import { type Held, Pressure } from './pressure.ts';

/** A connection that notes what it is told. */
const aConnection = (): Held & { readonly held: Set<object> } => {
  const held = new Set<object>();
  return { held, hold: (by) => void held.add(by), release: (by) => void held.delete(by) };
};
const mebi = 1024 * 1024;

describe('pressure', () => {
  test('holds a connection while too much of what it brought waits, until half of that is taken', () => {
    const pressure = new Pressure();
    const [flooding, quiet] = [aConnection(), aConnection()];
    pressure.arrived(0.7 * mebi, flooding);
    expect(flooding.held.size).toBe(0);
    pressure.arrived(0.5 * mebi, flooding);
    pressure.arrived(0.5 * mebi, quiet);
    expect([flooding.held.size, quiet.held.size]).toEqual([1, 0]);
    pressure.taken(0.6 * mebi, flooding);
    pressure.taken(0.5 * mebi, quiet);
    pressure.relieve();
    expect(flooding.held.size).toBe(1);
    pressure.taken(0.2 * mebi, flooding);
    pressure.relieve();
    expect(flooding.held.size).toBe(0);
  });

  test('holds who brings more while the handler is behind', () => {
    const pressure = new Pressure();
    const connection = aConnection();
    pressure.backlog = 10_000;
    pressure.arrived(1, connection);
    pressure.relieve();
    expect(connection.held.size).toBe(1);
    pressure.taken(1, connection);
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
