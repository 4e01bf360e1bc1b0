// npm run bench [-- ROUNDS | --peers … | --trace …]: see docs/benchmarks.md.
const [mode] = process.argv.slice(2).filter((word) => ['--peers', '--trace'].includes(word));
if (mode === '--peers') await import('./peers.mjs');
else if (mode === '--trace') await import('./trace.mjs');
else await import('./bench.mjs');
