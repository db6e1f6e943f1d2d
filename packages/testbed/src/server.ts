/**
 * A server that is ours, wherever it runs: what can be done to it from outside. None of this waits until it answers;
 * that is for those who speak its language.
 */
export interface Server {
  /** The pid on this machine; `undefined` in a container, and while it is down. */
  readonly pid: number | undefined;
  /** Where clients reach it, also after it was started again. */
  readonly host: string;
  readonly port: number;
  /** Whether its process is there. */
  isRunning(): boolean | Promise<boolean>;
  /** Starts it again with the data it left. Does nothing while it runs. */
  start(): Promise<void>;
  /** Asks it to end (SIGTERM) and waits until it has; kills it after 30 s. */
  end(): Promise<void>;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP, or a pause of the container: connections stay open, nothing is answered. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The address of this machine at which the server, and others like it, reach what listens here. It has to run. */
  hostOfMachine(): string | Promise<string>;
  /**
   * Runs the first of these programs that is there: in the container, or on this machine. Resolves what it prints;
   * `undefined` if there is none of them.
   *
   * @throws {Error} with what it printed, if it fails.
   */
  run(programs: readonly string[], args: readonly string[]): Promise<string | undefined>;
  /** Kills it and removes its data. */
  remove(): Promise<void>;
  /** The last lines it has written, for the message of a failure. */
  log(): Promise<string>;
}
