/*
 * The blocks of the pages that can be run. A block begins with "```console run=NAME", and its lines after "$ " run in a copy of
 * the fixture NAME, in the order of the page. The other lines are the output, compared by shape: numbers and spaces may differ,
 * and so may the order of "✓ NAME: …"; "…" stands for any lines, and within a line for any text. A comment that begins with
 * "<!-- run=NAME" holds steps that the reader does not see.
 */

interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

const BLOCK = /^(?:```console|<!--) run=(\S+)\n([\s\S]*?)^(?:```|-->)/gm;
const STEP = /^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm;

/** @returns fixture → its steps, of all blocks of a page */
export function stepsOf(page: string): ReadonlyMap<string, readonly Step[]> {
  const steps = new Map<string, Step[]>();
  for (const [, fixture = '', body = ''] of page.matchAll(BLOCK)) {
    const own = steps.get(fixture) ?? [];
    steps.set(fixture, own);
    for (const [, command = '', output = ''] of body.matchAll(STEP))
      own.push({ command, output: output.split('\n').filter(Boolean) });
  }
  return steps;
}

function shapeOf(line: string): string {
  return line
    .replaceAll(/\b[0-9a-f]{16,32}\b/g, '0')
    .replaceAll(/\d+(?:\.\d+)?/g, '0')
    .replaceAll(/\b0 (?:ms|s|min)\b(?: 0 s\b)?/g, '0 s')
    .replaceAll(/[▁-█][▁-█ ]*/g, '▁ ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The shapes of lines. Services that are stopped at once end in any order. */
function shapesOf(lines: readonly string[]): readonly string[] {
  const shapes: string[] = [];
  let together: string[] = [];
  for (const shape of [...lines.map(shapeOf).filter(isTold), '']) {
    if (/^✓ \S+: /.test(shape)) {
      together.push(shape);
      continue;
    }
    shapes.push(...together.sort(), shape);
    together = [];
  }
  return shapes.slice(0, -1);
}

/** A slow machine shows what a stop waits for, and a process may end before the stop sees it outside of its session. */
function isTold(shape: string): boolean {
  return shape !== '' && !/^(devctl: 0 s: waiting for|ended outside of its session:) /.test(shape);
}

/** The output in the form that the pattern of a step is for. */
export function shapeOfOutput(text: string): string {
  return shapesOf(text.split('\n'))
    .map((line) => `${line}\n`)
    .join('');
}

/** A pattern for the whole output of a step. */
export function patternOf({ output }: Step): RegExp {
  const parts = shapesOf(output).map((line) =>
    line === '…' ? '(?:.*\n)*?' : `${line.split('…').map(escaped).join('.*')}\n`,
  );
  return new RegExp(`^${parts.join('')}$`);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
