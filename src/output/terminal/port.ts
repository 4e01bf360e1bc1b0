/** Formats a port as the manifest writes it: `4000`, `8125/udp`. */
export function formatPort({
  port,
  protocol,
}: {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}): string {
  return protocol === 'udp' ? `${port}/udp` : String(port);
}
