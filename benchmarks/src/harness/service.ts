/** What the cases of a suite need beside themselves, such as a server. Disposing of it ends it. */
export interface Service extends AsyncDisposable {
  /** What it is, with its version: `Redis 7.0.15`. */
  readonly name: string;
  /** Where a case finds it. */
  readonly address: string;
}
