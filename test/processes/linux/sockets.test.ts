import { expect, test } from 'vitest';
import {
  parseListeningSockets,
  parseListeningUnixSockets,
} from '../../../src/processes/linux/sockets.ts';

const HEADER =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

function socket(local: string, { state = '0A', uid = 1000, inode = 4242 } = {}): string {
  const remote = local.length > 20 ? '00000000000000000000000000000000:0000' : '00000000:0000';
  return `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`;
}

test.each([
  ['0100007F:0BB8', '127.0.0.1', 3000],
  ['00000000:0050', '0.0.0.0', 80],
  ['0101A8C0:FFFF', '192.168.1.1', 65535],
  ['00000000000000000000000000000000:0BB8', '::', 3000],
  ['00000000000000000000000001000000:0BB8', '::1', 3000],
  ['0000000000000000FFFF00000100007F:0BB8', '127.0.0.1', 3000],
  ['B80D0120000000000000000001000000:0BB8', '2001:db8::1', 3000],
])('%s is %s port %i', (local, address, port) => {
  expect(parseListeningSockets(HEADER + socket(local), 'tcp')).toEqual([
    { port, address, uid: 1000, inode: 4242 },
  ]);
});

test('only sockets that listen', () => {
  const states = ['01', '02', '06', '08', '0B'].map((state) => socket('0100007F:0BB8', { state }));
  expect(parseListeningSockets(HEADER + states.join(''), 'tcp')).toEqual([]);
});

test('of UDP only sockets that are not connected', () => {
  const bound = socket('0100007F:1FBD', { state: '07' });
  const connected = socket('0100007F:C350', { state: '01' });
  expect(parseListeningSockets(HEADER + bound + connected, 'udp')).toMatchObject([{ port: 8125 }]);
  expect(parseListeningSockets(HEADER + bound, 'tcp')).toEqual([]);
});

test('nothing but a header, or nothing', () => {
  expect(parseListeningSockets(HEADER, 'tcp')).toEqual([]);
  expect(parseListeningSockets('', 'udp')).toEqual([]);
});

test('Unix sockets: only those with a path that wait for connections', () => {
  const text = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 20123 /run/a b.sock
0000000000000000: 00000002 00000000 00010000 0001 01 20124 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 20125 relative.sock
0000000000000000: 00000003 00000000 00000000 0001 03 20126 /run/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03 20127
`;
  expect(parseListeningUnixSockets(text)).toEqual([{ path: '/run/a b.sock', inode: 20_123 }]);
});
