/** A clock that only its caller moves, with the acts that are due at some time. */
export interface FakeClock {
  nowMs(): number;
  /** Moves the clock, and carries out the acts that are due. */
  advance(ms: number): void;
  /** Calls `act` at that time. Acts of the same time are called in the order of these calls. */
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
