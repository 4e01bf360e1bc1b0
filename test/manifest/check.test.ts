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

const services = { a: { command: 'x' }, b: { command: 'x' }, c: { command: 'x' } };

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
    '.devctl.json': '{"services": {\n  "web": {"command": "x", "prts": []}},\n  "containers": {}}',
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
        column: 3,
        path: 'containers',
        message: 'not supported yet: containers',
        suggestion: null,
        unsupported: true,
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
