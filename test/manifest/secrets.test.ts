import { expect, test } from 'vitest';
import { DevctlError } from '../../src/errors.ts';
import { examineManifest, loadManifest } from '../../src/manifest/load.ts';
import { readManifestOutline } from '../../src/manifest/outline.ts';
import { errorOf, folderWith } from './folder.ts';

const SECRET = 'hunter2hunter2';

test.each([
  ['without quotes', `{"env": {"TOKEN": ${SECRET}}, "services": {"web": {"command": "x"}}}`],
  ['in single quotes', `{"env": {"TOKEN": '${SECRET}'}, "services": {"web": {"command": "x"}}}`],
  ['without a comma', `{"env": {"A": 1 "${SECRET}"}, "services": {"web": {"command": "x"}}}`],
  ['as an assignment', `{"env": "TOKEN=${SECRET}", "services": {"web": {"command": "x"}}}`],
  ['as a list', `{"env": ["TOKEN=${SECRET}"], "services": {"web": {"command": "x"}}}`],
  ['as a name', `{"env": {"TOKEN=${SECRET}": ""}, "services": {"web": {"command": "x"}}}`],
  ['in a list', `{"env": {"TOKEN": ["${SECRET}"]}, "services": {"web": {"command": "x"}}}`],
  ['with a NUL', `{"env": {"TOKEN": "${SECRET}\\u0000"}, "services": {"web": {"command": "x"}}}`],
])('a secret %s is refused without being shown', (_how, manifest) => {
  const cwd = folderWith({ '.devctl.json': manifest });
  const error = errorOf(() => loadManifest({ cwd }));
  expect(error).toBeInstanceOf(DevctlError);
  const { problems } = examineManifest({ cwd });
  expect(problems.length).toBeGreaterThan(0);
  const said = JSON.stringify([error.message, problems, readManifestOutline({ cwd })]);
  expect(said).not.toContain(SECRET);
});
