/**
 * `devctl status | head -1` closes our stdout early (EPIPE), a terminal may be closed (EIO). That is no failure, and no reason to leave a
 * stop half done: what is left to print is dropped, the work goes on.
 */
export function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
}
