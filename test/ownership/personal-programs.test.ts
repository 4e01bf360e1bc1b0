import { expect, test } from 'vitest';
import { personalProgram } from '../../src/ownership/personal-programs.ts';

const person = { homes: ['/home/ann'], runtimeDir: '/run/user/1000' };
const root = '/home/ann/shop';
const ask = (argv: readonly string[], environ: string | null = 'HOME=/home/ann\0') =>
  personalProgram({ argv, environ, person, root });

test.each([
  ['gpg-agent --homedir /home/ann/.gnupg --use-standard-socket --daemon'],
  ['/usr/bin/gpg-agent --supervised'],
  ['dirmngr --daemon --homedir /home/ann/.gnupg/'],
  ['keyboxd --homedir=/home/ann/.gnupg --daemon'],
  ['/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile'],
  ['dbus-daemon --session --address=unix:path=/run/user/1000/bus'],
  ['/opt/google/chrome/chrome'],
  ['/usr/lib/firefox/firefox -new-window http://localhost:5173'],
  ['chromium --user-data-dir=/home/ann/.config/chromium'],
  ['google-chrome-stable --profile-directory=Default http://localhost:3000'],
])('%s belongs to a person', (line) => {
  expect(ask(line.split(' '))).toEqual(expect.any(String));
});

test.each([
  ['gpg-agent --homedir /tmp/x/.gnupg --daemon'],
  ['gpg-agent --homedir /home/ann/shop/.gnupg --daemon'],
  ['dbus-daemon --session --address=unix:path=/tmp/dbus-1'],
  ['dbus-daemon --session --print-address'],
  ['chrome --headless=new --dump-dom http://localhost:3000'],
  ['chrome --remote-debugging-port=9222'],
  ['chrome --remote-debugging-pipe --user-data-dir=/home/ann/x'],
  ['chromium --user-data-dir=/tmp/puppeteer_dev_profile'],
  ['chromium --user-data-dir /home/ann/shop/.profile'],
  ['firefox --marionette'],
  ['firefox -juggler-pipe -profile /home/ann/x'],
  ['firefox -profile /tmp/rust_mozprofile'],
  ['ssh-agent'],
  ['ssh -N db'],
  ['node chrome.js'],
  ['tmux new -d'],
])('%s is a private instance, or another program', (line) => {
  expect(ask(line.split(' '))).toBeNull();
});

test('a shared connection of ssh is known by the title that ssh gives itself', () => {
  expect(ask(['ssh: /home/ann/.ssh/cm-db:22 [mux]'])).toEqual(expect.any(String));
  expect(ask(['ssh: /run/user/1000/cm [mux]'])).toEqual(expect.any(String));
  expect(ask(['ssh: /home/ann/shop/.ssh/cm [mux]'])).toBeNull();
  expect(ask(['ssh: /tmp/cm [mux]'])).toBeNull();
});

test('a daemon of gpg without a home folder on its command line is judged by its environment, if it can be read', () => {
  const agent = ['gpg-agent', '--daemon'];
  expect(ask(agent, null)).toEqual(expect.any(String));
  expect(ask(agent, 'HOME=/home/ann\0')).toEqual(expect.any(String));
  expect(ask(agent, 'HOME=/home/ann\0GNUPGHOME=/tmp/keys\0')).toBeNull();
  expect(ask(agent, 'HOME=/tmp/other\0')).toBeNull();
});

test('a command line that was joined is read as one with words', () => {
  expect(ask(['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'])).toEqual(
    expect.any(String),
  );
  expect(ask(['/opt/chrome/chrome --type=renderer --lang=en'])).toBeNull();
});
