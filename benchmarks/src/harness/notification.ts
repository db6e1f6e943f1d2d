/** What travels in every case: what a user hands to each library. */
export interface Notification {
  readonly number: number;
  readonly account: string;
  readonly title: string;
  readonly body: string;
}

/** The kind of a {@link Notification}, for libraries that ask for a name. */
export const notificationType = 'notification.created';

/** How many bytes the JSON of every notification has. */
export const notificationBytes = 200;

/** Numbers of the same length, so that all messages are of the same size. */
const firstNumber = 100_000_000;
const accounts = 100;

const title = 'Your parcel has arrived';
const sentence = 'It waits for you at the counter until Saturday; please bring this number with you.';
const body = sentence.repeat(3).slice(0, notificationBytes - JSON.stringify(withBody(0, '')).length);

/** The notification number `index` of a pass. */
export function makeNotification(index: number): Notification {
  return withBody(index, body);
}

/** The notifications from number `from` up to `end`. */
export function makeNotifications(from: number, end: number): Notification[] {
  return Array.from({ length: end - from }, (_, offset) => makeNotification(from + offset));
}

/** Which notification of a pass it is. */
export function indexOf({ number }: Notification): number {
  return number - firstNumber;
}

function withBody(index: number, text: string): Notification {
  return { number: firstNumber + index, account: `account-${100 + (index % accounts)}`, title, body: text };
}
