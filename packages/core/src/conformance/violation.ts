/** What a rule throws when the queue has broken it: the message says what was observed. */
export class Violation extends Error {
  static {
    this.prototype.name = 'Violation';
  }
}

/** What did not settle in time. */
export class Hang extends Violation {}

/** What a rule throws when it cannot be judged here: the message says what is missing. */
export class NotVerified extends Error {
  static {
    this.prototype.name = 'NotVerified';
  }
}

/**
 * What a rule throws when a lease was over before it had done what it needs the lease for: on a machine that stood still for
 * that long, nothing can be said of the queue, and another try may say it.
 */
export class TooLate extends NotVerified {}
