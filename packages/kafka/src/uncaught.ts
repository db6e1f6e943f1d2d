/** `listener`, whose own failures are those of the process, not of who had something to tell. */
export function uncaught<Told>(listener: (told: Told) => void): (told: Told) => void {
  return (told) => {
    try {
      listener(told);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  };
}
