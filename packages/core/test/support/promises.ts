/** A promise that a test settles by hand. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (reason: unknown) => void;
}

export function deferred<Value = void>(): Deferred<Value> {
  let resolve!: (value: Value) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<Value>((first, second) => {
    resolve = first;
    reject = second;
  });
  return { promise, resolve, reject };
}

/** A promise that never settles: the answer of a backend that has vanished. */
export function never<Value>(): Promise<Value> {
  return new Promise(() => {});
}

/** How a promise stands, without waiting for it. */
export interface Watched<Value> {
  readonly state: 'pending' | 'resolved' | 'rejected';
  readonly value: Value | undefined;
  readonly reason: unknown;
}

export function watch<Value>(promise: Promise<Value>): Watched<Value> {
  const watched: { -readonly [Name in keyof Watched<Value>]: Watched<Value>[Name] } = {
    state: 'pending',
    value: undefined,
    reason: undefined,
  };
  const settle = async (): Promise<void> => {
    try {
      watched.value = await promise;
      watched.state = 'resolved';
    } catch (error) {
      watched.reason = error;
      watched.state = 'rejected';
    }
  };
  void settle();
  return watched;
}

/** What `promise` rejects with. @throws if it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, but it resolved ${typeof value}`);
}
