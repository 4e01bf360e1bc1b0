import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { checkCommand } from '../../src/commands/check.ts';
import { folderWith } from './folder.ts';

async function run(options: { config: string; json?: boolean }) {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const exitCode = await checkCommand(options);
    return { exitCode, stdout: write.mock.calls.map(([chunk]) => String(chunk)).join('') };
  } finally {
    write.mockRestore();
  }
}

const services = { a: { command: 'sh' }, b: { command: 'sh' }, c: { command: 'sh' } };

test.each<[manifest: object, line: string]>([
  [{ services, groups: { g: ['a'] } }, '✓ .devctl.json: 3 services, 1 group: no problems\n'],
  [{ services: { a: services.a } }, '✓ .devctl.json: 1 service: no problems\n'],
])('%j', async (manifest, line) => {
  const config = join(folderWith({ '.devctl.json': manifest }), '.devctl.json');
  expect(await run({ config })).toEqual({ exitCode: 0, stdout: line });
});

test('without --json the problems are thrown', async () => {
  const config = join(folderWith({ '.devctl.json': '{}' }), '.devctl.json');
  await expect(checkCommand({ config })).rejects.toMatchObject({
    code: 'manifest-invalid',
    exitCode: 2,
  });
});

test('with --json the problems are printed', async () => {
  const root = folderWith({
    '.devctl.json':
      '{"services": {\n  "web": {"command": "x", "prts": []}},\n  "containers": {"command": "podman compose"}}',
  });
  const file = join(root, '.devctl.json');
  const { exitCode, stdout } = await run({ config: file, json: true });
  expect(exitCode).toBe(2);
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    ok: false,
    file,
    problems: [
      {
        file,
        line: 2,
        column: 27,
        path: 'services.web.prts',
        message: 'unknown key',
        suggestion: 'ports',
        unsupported: false,
      },
      {
        file,
        line: 3,
        column: 29,
        path: 'containers.command',
        message:
          'names podman: its containers would be processes of devctl, which a stop ends one by one; give Docker the socket of podman as DOCKER_HOST instead',
        suggestion: null,
        unsupported: false,
      },
    ],
    notes: [],
  });
});

test('--json has an answer for a good manifest, and for none', async () => {
  const root = folderWith({ '.devctl.json': { services } });
  const file = join(root, '.devctl.json');
  const good = await run({ config: file, json: true });
  expect(good.exitCode).toBe(0);
  expect(JSON.parse(good.stdout)).toEqual({ version: 1, ok: true, file, problems: [], notes: [] });
  const none = await run({ config: join(root, 'x.json'), json: true });
  expect(none.exitCode).toBe(2);
  expect(JSON.parse(none.stdout)).toMatchObject({
    ok: false,
    file: null,
    problems: [{ line: null }],
  });
});

test('a setting that does not work on this machine is reported, and is no mistake', async () => {
  const config = join(
    folderWith({ '.devctl.json': { services, logs: { maxSize: '1MB' } } }),
    '.devctl.json',
  );
  vi.stubEnv('DEVCTL_PROCESS_TABLE', 'portable');
  try {
    const { exitCode, stdout } = await run({ config, json: true });
    const { ok, notes } = JSON.parse(stdout);
    expect({ exitCode, ok }).toEqual({ exitCode: 0, ok: true });
    expect(notes).toEqual([expect.stringMatching(/^logs are not rotated here, and grow: /)]);
  } finally {
    vi.unstubAllEnvs();
  }
});

test('a variable of an env file that env hides with another value is noted, without the values', async () => {
  const env = { PORT: '1', SAME: 'x', OWN: '1' };
  const root = folderWith({
    '.devctl.json': { services: { a: { ...services.a, env, envFile: 'a.env' } } },
    'a.env': 'PORT=S3CRET\nSAME=x\n',
  });
  const { exitCode, stdout } = await run({ config: join(root, '.devctl.json'), json: true });
  const { notes } = JSON.parse(stdout);
  const hidden = 'services.a.env.PORT: hides PORT of a.env, which has another value';
  expect({ exitCode, notes }).toEqual({ exitCode: 0, notes: [expect.stringContaining(hidden)] });
  expect(stdout).not.toContain('S3CRET');
});

test('check warns of a command whose program is not on the PATH of its service', async () => {
  const env = { PATH: 'bin' };
  const root = folderWith({
    '.devctl.json': {
      services: {
        typo: { command: 'nmp run dev', env },
        list: { command: ['nmp'], env },
        good: { command: 'npm run dev', env },
        word: { command: 'exit 0', env },
        shell: { command: 'nmp run a && nmp run b', env },
        variable: { command: '$NMP run', env },
        path: { command: './nmp', env },
      },
    },
    'bin/npm': '',
  });
  chmodSync(join(root, 'bin/npm'), 0o755);
  const { exitCode, stdout } = await run({ config: join(root, '.devctl.json'), json: true });
  const said = (name: string) =>
    expect.stringMatching(
      new RegExp(`services\\.${name}\\.command: "nmp" is not found on PATH: did you mean npm\\?$`),
    );
  expect({ exitCode, notes: JSON.parse(stdout).notes }).toEqual({
    exitCode: 0,
    notes: [said('typo'), said('list')],
  });
});

test('env files are checked, also those of services that nobody starts', async () => {
  const root = folderWith({
    '.devctl.json': {
      envFile: 'all.env',
      services: { a: { ...services.a, envFile: 'a.env', autostart: false }, b: services.b },
    },
    'all.env': 'A=$DEVCTL_TEST_NOBODY\n',
    'a.env': 'TOKEN=1\nTOKEN: S3CRET\n  [S3CRET]\n',
  });
  const config = join(root, '.devctl.json');
  const error = await checkCommand({ config }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'manifest-invalid', exitCode: 2 });
  expect(String(error)).toContain('a.env:2:6  expected "=" after the name');
  expect(String(error)).toContain('a.env:3:3  expected NAME=value');
  expect(String(error)).not.toContain('S3CRET');
  const { exitCode, stdout } = await run({ config, json: true });
  expect(exitCode).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    problems: [
      { file: join(root, 'a.env'), line: 2, column: 6, path: '' },
      { file: join(root, 'a.env'), line: 3, column: 3, path: '' },
    ],
    notes: [expect.stringMatching(/all\.env:1:3 {2}\$DEVCTL_TEST_NOBODY is not set/)],
  });
});

test('mistakes of env files are told beside those of the manifest', async () => {
  const root = folderWith({
    '.devctl.json': '{"services": {"a": {"command": "x", "envFile": ".env", "prts": 1}}}',
    '.env': '=x\n',
  });
  const { stdout } = await run({ config: join(root, '.devctl.json'), json: true });
  const { problems } = JSON.parse(stdout);
  expect(problems).toMatchObject([{ message: 'unknown key' }, { file: join(root, '.env') }]);
});

test('a time without a unit that was meant in seconds is a note', async () => {
  const manifest = `{
    "env": {"timeout": 60}, "stopGrace": 9,
    "services": {
      "timeout": {
        "command": "sh", "env": {"grace": 1}, "stop": {"grace": 0},
        "ready": {"tcp": 1, "timeout": 60, "interval": 10},
        "restart": {"policy": "always", "window": 999, "backoff": 9.5, "resetAfter": 1000},
        "limits": {"runtime": 500, "idle": "1s"},
      },
    },
  }`;
  const root = folderWith({ '.devctl.json': manifest });
  const { exitCode, stdout } = await run({ config: join(root, '.devctl.json'), json: true });
  expect(exitCode).toBe(0);
  const { notes } = JSON.parse(stdout) as { notes: string[] };
  expect(notes.map((note) => note.replace(/^.*\.devctl\.json:/, ''))).toEqual([
    '2:42  stopGrace: 9 without a unit is 9 ms: write "9s" or "9ms"',
    '6:40  services.timeout.ready.timeout: 60 without a unit is 60 ms: write "60s" or "60ms"',
    '7:51  services.timeout.restart.window: 999 without a unit is 999 ms: write "999s" or "999ms"',
    '7:67  services.timeout.restart.backoff: 9.5 without a unit is 9.5 ms: write "9.5s" or "9.5ms"',
    '8:31  services.timeout.limits.runtime: 500 without a unit is 500 ms: write "500s" or "500ms"',
  ]);
});
