/**
 * Million: a node that holds very many ids: how long it takes to load them, what they take in memory, how long a joiner takes, and
 * for how long the event loop of either stands still meanwhile.
 */
import { pass } from './clock.ts';
import type { Work } from './contestant.ts';
import { Crew, type CrewOptions, grapevine, type Member } from './crew.ts';
import type { Sample } from './interleave.ts';
import { atMost, figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';
import { type Spread, spread } from './statistics.ts';

/** Adds and removals in one turn of the event loop of the program that makes them. */
const PART = 1000;
/** Around all ids in an order far from that in which they were added. Has no divisor in common with a power of ten. */
const STRIDE = 618_033;
const SETTLE_MS = 2000;
const LONGEST_PAUSE_MS = 50;

/** What is done to the holder, in this order. */
const phases = {
  loaded: 'all are added',
  rewritten: 'all are written again, far from their order',
  joined: 'a fresh process joins',
  told: 'all are written again, and told to the joiner',
  removed: 'all are removed, and told to the joiner',
} as const;

type Phase = keyof typeof phases;

export async function million({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const ids = quick ? 20_000 : 1_000_000;
  const [protocol = 'hybrid'] = protocols;
  const samples: Sample[] = [];
  for (let run = 0; run < runs; run++) {
    const sample = await measureMillion(protocol, ids, { seed });
    samples.push(sample);
    console.log(`million: ${JSON.stringify(sample)}`);
  }
  const spreadOf = (name: string): Spread => spread(samples.map((sample) => sample[name] ?? NaN));
  const cell = (name: string): string => figures(spreadOf(name));
  const all = Object.keys(phases) as Phase[];
  const hasJoiner = (phase: Phase): boolean => all.indexOf(phase) >= all.indexOf('joined');
  return {
    name: 'million',
    title: `${ids.toLocaleString('en')} ids`,
    about:
      `One process of \`${protocol}\`, with a subscriber that reads every value, holds ${ids.toLocaleString('en')} ids of \`{ value: n }\`. ` +
      `Its program adds and removes ${PART.toLocaleString('en')} in a turn of the event loop. The longest pause is that of the event loop of ` +
      'a process, as `monitorEventLoopDelay` of Node.js tells it at a resolution of a millisecond, pauses for the collection of ' +
      'garbage and turns of the program itself included; it counts until all hold the same. Seconds are those in which the program ' +
      'works. Memory is taken after full collections, which are in no pause here. A ' +
      'joiner is a fresh process, and its time is counted from its start to the moment in which it has told its subscriber of all.',
    tables: [
      table(
        ['what', 'seconds', 'longest pause of the holder, ms', 'of the joiner, ms'],
        all.map((phase) => [
          phases[phase],
          cell(`${phase}Seconds`),
          cell(`${phase}HolderMs`),
          hasJoiner(phase) ? cell(`${phase}JoinerMs`) : '–',
        ]),
      ),
      table(
        ['memory', 'MB of heap and of buffers beside it', 'bytes an id', 'resident MB of the process'],
        (
          [
            ['the holder, when all are added', 'loaded'],
            ['the holder, when all are written again', 'rewritten'],
            ['the joiner', 'joined'],
          ] as const
        ).map(([what, phase]) => [what, cell(`${phase}HeapMb`), cell(`${phase}IdBytes`), cell(`${phase}RssMb`)]),
      ),
    ],
    bounds: all.flatMap((phase) => [
      atMost(`${phases[phase]}: longest pause of the holder`, LONGEST_PAUSE_MS, 'ms', spreadOf(`${phase}HolderMs`)),
      ...(hasJoiner(phase)
        ? [
            atMost(
              `${phases[phase]}: longest pause of the joiner`,
              LONGEST_PAUSE_MS,
              'ms',
              spreadOf(`${phase}JoinerMs`),
            ),
          ]
        : []),
    ]),
  };
}

function measureMillion(protocol: string, ids: number, options: CrewOptions): Promise<Sample> {
  return Crew.run(grapevine(protocol), 1, options, async (crew) => {
    const { writer } = crew;
    const sample: Record<string, number> = {};
    const pauses = async (phase: Phase): Promise<void> => {
      sample[`${phase}HolderMs`] = await writer.call('longestPause');
      const [joiner] = crew.receivers;
      if (joiner !== undefined) sample[`${phase}JoinerMs`] = await joiner.call('longestPause');
    };
    /** Outside what is looked at for pauses: a full collection is one. */
    const memory = async (phase: Phase, member: Member, emptyBytes: number): Promise<void> => {
      const heapBytes = await member.call('heapBytes');
      sample[`${phase}HeapMb`] = heapBytes / 1e6;
      sample[`${phase}IdBytes`] = (heapBytes - emptyBytes) / ids;
      sample[`${phase}RssMb`] = (await member.call('rssBytes')) / 1e6;
      await pass(SETTLE_MS);
      await member.call('longestPause');
    };
    const work = async (phase: Phase, { what, stride }: Pick<Work, 'what' | 'stride'>): Promise<void> => {
      const tookMs = await writer.call('work', { what, stride, count: ids, part: PART });
      sample[`${phase}Seconds`] = tookMs / 1e3;
      await crew.equal();
      await pass(SETTLE_MS);
      await pauses(phase);
    };

    const emptyBytes = await writer.call('heapBytes');
    await pass(SETTLE_MS);
    await writer.call('watchPauses');
    await work('loaded', { what: 'add', stride: 1 });
    await memory('loaded', writer, emptyBytes);
    await work('rewritten', { what: 'add', stride: STRIDE });
    await memory('rewritten', writer, emptyBytes);

    const { member, startedAt } = await crew.join(undefined, (joiner) => joiner.call('watchPauses'));
    const [at = NaN] = await crew.whole(ids, [member]);
    sample['joinedSeconds'] = (at - startedAt) / 1e3;
    await pass(SETTLE_MS);
    await pauses('joined');
    await memory('joined', member, emptyBytes);

    await work('told', { what: 'add', stride: STRIDE });
    await work('removed', { what: 'remove', stride: STRIDE });
    return sample;
  });
}
