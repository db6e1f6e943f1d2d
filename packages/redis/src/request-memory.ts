/**
 * How long Redis remembers the last request of a queue object that is silent, in milliseconds: longer than most outages, for
 * who comes back after it may do once more what was done.
 */
export const memoryMs = 600_000;

/** The longest that anybody waits for an answer, in milliseconds: what is sent again at the end of it is still remembered. */
export const longestRequestMs = memoryMs / 2;
