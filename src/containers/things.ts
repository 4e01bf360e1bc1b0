import type { Engine, EngineFailure } from './engine.ts';
import type { EngineThing } from './inspect.ts';
import type { ContainerMarks } from './labels.ts';
import type { StoppedThing } from './report.ts';

/** Removes the networks or volumes that carry our label. A network that somebody else is on stays. */
export async function removeThings(
  engine: Engine,
  kind: 'network' | 'volume',
  marks: ContainerMarks,
): Promise<readonly StoppedThing[] | EngineFailure> {
  const found = await engine.findThings(kind, marks);
  if (found.kind === 'failure') return found.failure;
  const removed: StoppedThing[] = [];
  for (const thing of found.value) removed.push(await removeThing(engine, kind, thing));
  return removed;
}

async function removeThing(
  engine: Engine,
  kind: 'network' | 'volume',
  { id, name, containers }: EngineThing,
): Promise<StoppedThing> {
  if (containers > 0) {
    const others = containers === 1 ? 'a container' : `${containers} containers`;
    const why = `${others} of somebody else ${containers === 1 ? 'is' : 'are'} on it`;
    return { name, removed: false, why };
  }
  const answer = await engine.act([kind, 'rm', id]);
  return {
    name,
    removed: answer.kind === 'answer',
    why: answer.kind === 'failure' ? answer.failure.why : null,
  };
}
