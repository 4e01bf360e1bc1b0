// Takes and releases a lock as fast as it can, until it is killed. Argument: path of the lock.
import { rmSync } from 'node:fs';
import { newTicket, placeTicket } from '../../../src/lock/ticket.ts';
import { selfIdentity } from './alive.ts';

const [path = ''] = process.argv.slice(2);
const holder = { identity: selfIdentity(), command: 'place', at: '' };
for (;;) if (placeTicket(path, newTicket(holder))) rmSync(path);
