import { expect, test } from 'vitest';
import {
  type HeldSocket,
  judgeSocket,
  type SocketHolder,
  type SocketTerms,
  socketsBehind,
  whyNotListening,
} from '../../../src/services/probes/whose-socket.ts';

const socket = (holder: SocketHolder, address = '127.0.0.1'): HeldSocket => ({
  key: '7',
  port: 80,
  address,
  holder,
});
const web: SocketHolder = { kind: 'ours', service: 'web' };
const api: SocketHolder = { kind: 'ours', service: 'api' };
const nobody: SocketHolder = { kind: 'ours', service: null };
const stranger: SocketHolder = { kind: 'stranger', description: 'node x.js (pid 9)' };
const unseen: SocketHolder = { kind: 'unseen', description: 'a process of root' };

const HELD = 'port 80 is held by';

test.each<[SocketHolder, SocketTerms['scope'], 'before' | 'after', string]>([
  [web, 'service', 'after', 'counts'],
  [web, 'service', 'before', 'counts'],
  [api, 'service', 'after', `${HELD} a process of this project, of service api`],
  [nobody, 'service', 'after', `${HELD} a process of this project, of no known service`],
  [api, 'project', 'after', 'counts'],
  [api, 'project', 'before', 'counts'],
  [nobody, 'project', 'after', 'counts'],
  [stranger, 'project', 'after', `${HELD} node x.js (pid 9), which is not of this project`],
  [stranger, 'service', 'before', `${HELD} node x.js (pid 9), which is not of this project`],
  [unseen, 'service', 'after', 'counts'],
  [
    unseen,
    'project',
    'before',
    `${HELD} a process of root, which was there before web was started`,
  ],
])('%j for a %s, from %s the spawn: %s', (holder, scope, time, expected) => {
  const before = new Set(time === 'before' ? ['7'] : []);
  const verdict = judgeSocket(socket(holder), { service: 'web', scope, before });
  expect(verdict === 'counts' ? verdict : verdict.why).toBe(expected);
});

test('each port needs a socket that counts', () => {
  const terms = { service: 'web', scope: 'service', before: new Set<string>() } as const;
  expect(whyNotListening([80], [socket(stranger, '::1'), socket(web)], terms)).toBeNull();
  // Two listen on one address, and each gets a part of the connections.
  expect(whyNotListening([80], [socket(stranger), socket(web)], terms)).toContain('node x.js');
  expect(whyNotListening([80, 81], [socket(web)], terms)).toBe('port 81 is not listened on');
});

test.each<[string, string, readonly string[], readonly string[]]>([
  ['the address itself', '127.0.0.1', ['127.0.0.1', '0.0.0.0', '::'], ['127.0.0.1']],
  ['every address of its family', '127.0.0.1', ['0.0.0.0', '::'], ['0.0.0.0']],
  ['a socket of both families', '127.0.0.1', ['::'], ['::']],
  ['an IPv4 address in IPv6', '::ffff:127.0.0.1', ['127.0.0.1', '::'], ['127.0.0.1']],
  ['IPv6', '::1', ['127.0.0.1', '0.0.0.0', '::'], ['::']],
  ['what lsof writes', '127.0.0.1', ['*'], ['*']],
  ['nobody', '127.0.0.1', ['10.0.0.1'], []],
])('a connection may have led to %s', (_what, address, listening, expected) => {
  const sockets = listening.map((one) => socket(web, one));
  expect(socketsBehind(sockets, address, 80).map((one) => one.address)).toEqual(expected);
});
