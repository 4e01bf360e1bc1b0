// Reads a lock again and again, and prints how often it saw each state. Arguments: path, how often.
import { lookAtTicket } from '../../../src/lock/ticket.ts';

const [path = '', looks = '1'] = process.argv.slice(2);
const seen = { free: 0, held: 0, bad: 0, changed: 0 };
for (let look = 0; look < Number(looks); look += 1) seen[lookAtTicket(path).kind] += 1;
process.stdout.write(JSON.stringify(seen));
