// A preload (NODE_OPTIONS=--require …) under which the wall clock shows CLOCK_SHIFT_MS more than it is.
// The monotonic clock stays: so it is when somebody sets the time, or a machine comes back from a long sleep.
const shift = Number(process.env.CLOCK_SHIFT_MS ?? 0);
const RealDate = Date;
globalThis.Date = class ShiftedDate extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args));
  }
  static now() {
    return RealDate.now() + shift;
  }
};
