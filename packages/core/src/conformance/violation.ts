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
