/** The library: what test runners and scripts may import from 'devctl'. */
export { DevctlError, type ErrorCode, ExitCode } from './errors.ts';
