/**
 * Sets the clock of this process `aheadMs` milliseconds ahead of that of the machine, or behind if that is negative: as on
 * another machine whose clock is wrong, whoever asks `Date` for the time gets that one. What counts on monotonically, as
 * timers do, is the same as before.
 */
export function setClockAhead(aheadMs: number): void {
  const machine = Date;
  const machineNow = machine.now.bind(machine);
  // Also for whoever has kept the class from before.
  machine.now = () => machineNow() + aheadMs;
  globalThis.Date = new Proxy(machine, {
    construct: (target, values, made) => Reflect.construct(target, values.length === 0 ? [target.now()] : values, made),
    apply: (target) => new target(target.now()).toString(),
  });
}
