// npm run bench [-- ROUNDS | --peers … | --trace …]: see docs/benchmarks.md.

// Node 20 reads these certificates at each start. Where it is set, that is a third of bare Node, and would hide the rest.
delete process.env.NODE_EXTRA_CA_CERTS;

const [mode] = process.argv.slice(2).filter((word) => ['--peers', '--trace'].includes(word));
if (mode === '--peers') await import('./peers.mjs');
else if (mode === '--trace') await import('./trace.mjs');
else await import('./bench.mjs');
