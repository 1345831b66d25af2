/**
 * Loaded into an agent before anything else: its wall clock, wrong by as many milliseconds as a file says. The file is read
 * at the start and at each SIGUSR2. Timers are not touched, as setting the clock of a machine does not touch them either.
 */
import { readFileSync } from 'node:fs';

const { now } = Date;
let offMs = 0;
const read = () => {
  offMs = Number(readFileSync(process.env.CHAOS_CLOCK, 'utf8'));
};
process.on('SIGUSR2', read);
read();
Date.now = () => now() + offMs;
