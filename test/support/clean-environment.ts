/**
 * The environment of a person at a plain shell: without what vitest, CI and colour settings add, and
 * without marks of another devctl above us. Variables of the test run stay.
 *
 * Without NODE_EXTRA_CA_CERTS too: Node 20 reads these certificates at each start, and a test run starts thousands of Nodes.
 */
export function cleanEnvironment(): Record<string, string> {
  const dropped =
    /^(CI|NODE_EXTRA_CA_CERTS|NO_COLOR|FORCE_COLOR|PYTHONUNBUFFERED|NODE_ENV|TEST|DEV|PROD|MODE|SSR|BASE_URL|VITEST.*|npm_(lifecycle|package|command).*)$/;
  const kept = /^DEVCTL_(TEST_|PROCESS_TABLE|NATIVE|CGROUP)/;
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => {
      const [name, value] = entry;
      if (value === undefined || dropped.test(name)) return false;
      return !/^(TURBO_)?DEVCTL_/.test(name) || kept.test(name);
    }),
  );
}
