/** Calls `listener`. What it throws is uncaught, as in any event listener: who has something to tell goes on. */
export function callUncaught(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
