import { expect, test } from 'vitest';
import { runTool } from '../../src/processes/system-tool.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('a tool that is not installed is no failure', async () => {
  expect(await runTool('devctl-no-such-tool', [])).toBeNull();
});

test('one that cannot be run is said to be so, and is no mistake of ours', async () => {
  await using project = await temporaryProject(undefined, { ps: '' });
  await expect(runTool(project.file('ps'), [])).rejects.toMatchObject({
    name: 'DevctlError',
    code: 'tool-failed',
    message: expect.stringMatching(/ps cannot be run: EACCES$/),
  });
});
