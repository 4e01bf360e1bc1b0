import { afterEach, expect, test, vi } from 'vitest';
import { cleanEnvironment } from './clean-environment.ts';
import { devctl, startDevctl } from './devctl.ts';
import { endProcesses } from './end-processes.ts';
import { canBind, freePorts } from './free-ports.ts';
import { temporaryProject } from './temporary-project.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('runs the program of this repository to its end', async () => {
  await using project = await temporaryProject();
  const result = await devctl(project, '--version');
  expect(result).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    stderr: '',
  });
});

test('devctl itself is not one of the services', async () => {
  await using project = await temporaryProject();
  const running = startDevctl(project, {}, '--version');
  // A shorter command would end before the oracle has looked twice.
  running.kill('SIGSTOP');
  expect(project.oracle.processes()).toEqual([]);
  expect(project.oracle.everything().map((one) => one.pid)).toEqual([running.pid]);
  await endProcesses(project.oracle.everything);
  await running;
});

test('the environment has neither CI nor colours nor the marks of another devctl', () => {
  vi.stubEnv('CI', 'true');
  vi.stubEnv('FORCE_COLOR', '1');
  vi.stubEnv('DEVCTL_RUN', 'x');
  vi.stubEnv('TURBO_DEVCTL_RUN', 'x');
  vi.stubEnv('DEVCTL_PROCESS_TABLE', 'portable');
  const names = Object.keys(cleanEnvironment());
  expect(names).toContain('DEVCTL_TEST_RUN');
  expect(names).toContain('DEVCTL_PROCESS_TABLE');
  expect(names).toContain('PATH');
  expect(names.filter((name) => /^(CI|FORCE_COLOR|VITEST|.*DEVCTL_RUN)/.test(name))).toEqual([]);
});

test('a free port can be bound until a process has it', async () => {
  const ports = await freePorts(3);
  expect(new Set(ports).size).toBe(3);
  for (const port of ports) expect(await canBind(port)).toBe(true);
});
