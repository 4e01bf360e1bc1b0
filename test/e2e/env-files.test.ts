import { expect, test } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { service } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('a service whose env file cannot be read is not started, and the others are', async () => {
  await using project = await temporaryProject(
    {
      services: {
        good: service('sleeper', [], { envFile: 'good.env' }),
        bad: service('sleeper', [], { envFile: 'bad.env' }),
      },
    },
    { 'good.env': 'A=$DEVCTL_TEST_NOBODY\n', 'bad.env': 'PORT=3000\nTOKEN: S3CRET\n' },
  );
  const refused = await devctl(project, 'start');
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('✗ bad.env:2:6  expected "=" after the name');
  expect(refused.stderr).not.toContain('S3CRET');
  expect(project.oracle.processes()).toEqual([]);

  const up = await devctl(project, 'up');
  expect(up.exitCode).toBe(2);
  expect(up.stderr).toContain('✗ bad.env:2:6  expected');
  expect(project.oracle.processes()).toEqual([]);

  const good = await devctl(project, 'start', 'good');
  expect(good.exitCode).toBe(0);
  expect(good.stderr).toContain('good.env:1:3  $DEVCTL_TEST_NOBODY is not set');
  const running = project.oracle.processes();

  project.write('good.env', 'A="1\n');
  const restart = await devctl(project, 'restart', 'good');
  expect(restart.exitCode).toBe(2);
  expect(restart.stderr).toContain('✗ good.env:1:3  this quote is never closed');
  expect(project.oracle.processes()).toEqual(running);

  const adopt = await devctl(project, 'adopt');
  expect(adopt.exitCode).toBe(0);
  expect(adopt.stderr).toContain('! good.env:1:3  this quote is never closed');
  expect(adopt.stderr).not.toContain('bad.env');

  project.write('bad.env', 'TOKEN=1\n');
  const mended = await devctl(project, 'start', 'bad');
  expect(mended.exitCode).toBe(0);
  // A supervisor that adopts it would start it again without a variable.
  expect(mended.stderr).toContain('good.env:1:3  this quote is never closed');
});

test('a service gets the variables of its env file, over all lines', async () => {
  const text = [
    '   ',
    'export  JSON="{\\"a\\":1}"',
    '#HIDDEN=1',
    "KEY='-----BEGIN-----",
    'x # y',
    "-----END-----'",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference in an env file
    'HOST=${DEVCTL_TEST_NOBODY:-${FALLBACK-localhost}}',
    '',
  ].join('\r\n');
  await using project = await temporaryProject(
    {
      services: {
        show: {
          command: 'printf "%s\\n" "$JSON" "$HIDDEN" "$KEY" "$HOST"',
          oneShot: true,
          envFile: '.env',
        },
      },
    },
    { '.env': text },
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { stdout } = await devctl(project, 'logs', '--no-prefix');
  const lines = ['{"a":1}', '', '-----BEGIN-----', 'x # y', '-----END-----', 'localhost'];
  expect(stdout).toBe(lines.join('\n'));
});

test('devctl run tells what it cannot read of the env file of the project, and goes on', async () => {
  await using project = await temporaryProject(
    { envFile: '.env', services: { web: { command: 'x' } } },
    { '.env': 'A=1\nB\n' },
  );
  const { exitCode, stdout, stderr } = await devctl(project, 'run', '--', 'sh', '-c', 'echo "$A"');
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '1' });
  expect(stderr).toContain('! devctl: .env:2:1  a name alone sets nothing');
});
