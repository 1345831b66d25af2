/**
 * Where the time goes: the functions with the most self time, as this process samples itself.
 */
import { type Profiler, type Runtime, Session } from 'node:inspector/promises';

const SAMPLE_MICROSECONDS = 250;

export interface FunctionTime {
  /** Name and place: `encode wire/dist/encoder.js:31`. */
  readonly name: string;
  readonly ms: number;
}

const session = new Session();

export async function startProfile(): Promise<void> {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS });
  await session.post('Profiler.start');
}

/** @returns functions by self time, the costliest first, without the time in which the process was idle */
export async function stopProfile(): Promise<FunctionTime[]> {
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return selfTimes(profile);
}

function selfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): FunctionTime[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) as string;
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] as number) / 1e3);
  });
  times.delete('(idle)');
  // What the inspector itself takes to start.
  times.delete('dispatch');
  return [...times].map(([name, ms]) => ({ name, ms })).sort((a, b) => b.ms - a.ms);
}

function nameOf({ functionName, url, lineNumber }: Runtime.CallFrame): string {
  const place = url.split('/').slice(-3).join('/');
  return `${functionName === '' ? '(anonymous)' : functionName}${place === '' ? '' : ` ${place}:${lineNumber + 1}`}`;
}
