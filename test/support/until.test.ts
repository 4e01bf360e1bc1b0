import { expect, test, vi } from 'vitest';
import { until } from './until.ts';

test('gives back what the probe found', async () => {
  let looks = 0;
  const found = await until(() => {
    looks += 1;
    return looks === 3 ? 'third' : undefined;
  });
  expect(found).toBe('third');
});

test('a probe that throws is asked again', async () => {
  let looks = 0;
  const probe = async () => {
    looks += 1;
    if (looks < 2) throw new Error('not yet');
    return looks;
  };
  expect(await until(probe)).toBe(2);
});

test('says what it saw when it gives up', async () => {
  const now = vi.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValue(90_000);
  const waiting = until(
    () => false,
    () => 'the port was taken',
  );
  await expect(waiting).rejects.toThrow('within 60 s: the port was taken (last saw false)');
  now.mockRestore();
});
