import type { ContainerChange } from '../../containers/up.ts';
import type { Progress } from '../../output/terminal/progress.ts';

/** Shows what happens to a container. */
export function showContainer(progress: Progress, { service, state, text }: ContainerChange): void {
  const name = `container ${service}`;
  if (state === 'ready') progress.succeeded(name, text);
  else if (state === 'failed') progress.failed(name, `failed: ${text}`);
  else progress.pending(name, state === 'starting' ? 'starting' : 'waiting for');
}

/** Shows what compose says of pulls and builds, which take long. Its bars, redrawn many times a second, are left out. */
export function composeNotes(progress: Progress): (line: string) => void {
  const shown = new Set<string>();
  return (line) => {
    const text = line.trim();
    if (!/^(Pulling|Building|Step \d|Successfully)|\bPull(ing|ed)$|^ERROR|^Error/.test(text))
      return;
    if (!shown.has(text)) progress.note(`compose: ${text}`);
    shown.add(text);
  };
}
