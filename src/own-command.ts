/** How devctl is run in what it writes and shows: before the package is published, npx would fetch whatever has that name. */
export const DEVCTL = 'npx --no-install devctl';
