// A static import, and a file of its own that is loaded when a question comes: so the bundler leaves out the rest.
import { confirm, isCancel, multiselect } from '@clack/prompts';

/** One answer to choose. */
export interface Choice {
  readonly name: string;
  readonly hint: string;
}

/** Asks which of several names are wanted; all are to begin with. Null: the user has cancelled. */
export async function askWhichNames(
  message: string,
  choices: readonly Choice[],
): Promise<readonly string[] | null> {
  const answer = await multiselect({
    message,
    options: choices.map(({ name, hint }) => ({ value: name, label: name, hint })),
    initialValues: choices.map(({ name }) => name),
  });
  return isCancel(answer) ? null : answer;
}

/** Asks yes or no. To cancel means no. */
export async function askWhether(message: string): Promise<boolean> {
  return (await confirm({ message })) === true;
}
