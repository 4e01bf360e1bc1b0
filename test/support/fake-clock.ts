/** Time that moves only when told to, and what is to happen in it. */
export interface FakeClock {
  nowMs(): number;
  /** Lets time pass, and everything happen that is due in it. */
  advance(ms: number): void;
  /** Calls `act` at that time; in order of asking where the time is the same. */
  at(atMs: number, act: () => void): void;
}

export function createFakeClock(): FakeClock {
  const agenda: { readonly atMs: number; readonly act: () => void }[] = [];
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    advance(ms) {
      const until = nowMs + ms;
      for (let due = agenda[0]; due && due.atMs <= until; due = agenda[0]) {
        agenda.shift();
        nowMs = Math.max(nowMs, due.atMs);
        due.act();
      }
      nowMs = until;
    },
    at(atMs, act) {
      let index = agenda.length;
      while (index > 0 && (agenda[index - 1]?.atMs ?? 0) > atMs) index -= 1;
      agenda.splice(index, 0, { atMs, act });
    },
  };
}
