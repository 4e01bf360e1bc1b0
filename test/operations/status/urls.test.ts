import { expect, test } from 'vitest';
import { urlsIn, urlsOf } from '../../../src/operations/status/urls.ts';

test.each<[line: string, urls: readonly string[]]>([
  ['  ➜  Local:   http://localhost:5173/', ['http://localhost:5173/']],
  [
    '\u001B[32m➜\u001B[39m \u001B[36mhttp://localhost:\u001B[1m5173\u001B[22m/app/\u001B[39m',
    ['http://localhost:5173/app/'],
  ],
  ['   - Local:        http://localhost:3000', ['http://localhost:3000']],
  ['Listening at http://0.0.0.0:8000 (12)', ['http://localhost:8000']],
  ['Server running at http://[::1]:8080.', ['http://[::1]:8080']],
  ['on http://[::]:8080/', ['http://localhost:8080/']],
  [
    'open "https://127.0.0.1:8443/a/index.html?token=x&y=1#z".',
    ['https://127.0.0.1:8443/a/index.html?token=x&y=1#z'],
  ],
  ['{"url":"http://localhost:3000/x"}', ['http://localhost:3000/x']],
  [
    '(http://localhost:3000), or HTTP://LOCALHOST:3001/',
    ['http://localhost:3000', 'HTTP://LOCALHOST:3001/'],
  ],
  ['http://localhost:3000/a\nhttp://localhost:3000/b', ['http://localhost:3000/a']],
  ['http://localhost:99999/ http://localhost:0/ http://localhost:123456/', []],
  ['http://localhost/ http://example.com:3000/ http://localhost.example.com:3000/', []],
  ['http://10.0.0.1:3000/ xhttp://localhost:3000/', []],
  ['http://localhost:3000/\u001B]8;;evil\u0007', ['http://localhost:3000/']],
])('%j names %j', (line, urls) => {
  expect(urlsIn(line).map(({ url }) => url)).toEqual(urls);
});

test.each<[probed: string[], named: string, own: number[], urls: string[]]>([
  [['http://localhost:3000/health'], '', [3000], ['http://localhost:3000']],
  [
    ['http://localhost:3000/health'],
    'http://localhost:3000/app',
    [3000],
    ['http://localhost:3000/app'],
  ],
  [[], 'http://localhost:3000 for http://localhost:4000', [3000], ['http://localhost:3000']],
  [['https://app.test/up'], '', [443], ['https://app.test']],
  [['http://unix:/run/web.sock:/health', '$HOME'], '', [], []],
])('probes %j and the log %j with ports %j make %j', (probed, text, own, urls) => {
  expect(urlsOf(probed, urlsIn(text), new Set(own))).toEqual(urls);
});
