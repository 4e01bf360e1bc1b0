import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { freePort } from '../support/free-ports.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { stopReport } from '../support/reports.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('the example of graceful shutdown answers the request that it has, and is not killed', async () => {
  const port = await freePort();
  const command = fixture('graceful-server', String(port));
  await using project = await temporaryProject({ services: { web: { command, ports: [port] } } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const answer = fetch(`http://127.0.0.1:${port}/slow`).then((response) => response.text());
  // The server has taken the connection when a later request has been answered.
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('done\n');
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(await answer).toBe('done\n');
  expect(report.processes.map(({ endedBy }) => endedBy)).toEqual(['SIGTERM']);
});

test('the page shows the example as it is', () => {
  const [page, code] = ['docs/graceful-shutdown.md', 'fixtures/graceful-server.mjs'].map((name) =>
    readFileSync(join(repositoryRoot, name), 'utf8'),
  );
  const withoutHeading = code?.slice(code.indexOf('import')) ?? expect.fail('no example');
  expect(page).toContain(`\`\`\`js\n${withoutHeading}\`\`\``);
});
