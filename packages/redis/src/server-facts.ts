/** What can be known of a server. */
export interface ServerFacts {
  /** Whether it has answered INFO. */
  readonly hasAnswered: boolean;
  /** `Redis 8.0.2`, as it calls itself. */
  readonly version: string;
  /** Whether each write goes to a file that is read at the next start; `undefined` if it does not say. */
  readonly appendOnly: boolean | undefined;
  /** What it does when it is full, such as `noeviction`; `undefined` if it does not say. */
  readonly policy: string | undefined;
}

/** What the server keeps, of what it says to INFO; `undefined` if it has refused that. */
export function serverFactsOf(info: string | undefined): ServerFacts {
  const read = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info ?? '')?.[1];
  const product = read('server_name') === 'valkey' ? 'Valkey' : 'Redis';
  const version = (product === 'Valkey' ? read('valkey_version') : undefined) ?? read('redis_version');
  const appendOnly = read('aof_enabled');
  return {
    hasAnswered: info !== undefined,
    version: version === undefined ? 'an unknown version of Redis' : `${product} ${version}`,
    appendOnly: appendOnly === undefined ? undefined : appendOnly === '1',
    policy: read('maxmemory_policy'),
  };
}

/** What of an accepted event could be lost on such a server, in sentences. */
export function warningsOf(
  { hasAnswered, version, appendOnly, policy }: ServerFacts,
  queueKey: string,
): readonly string[] {
  const queue = `The queue ${JSON.stringify(queueKey)} on ${version}`;
  const warnings: string[] = [];
  if (!hasAnswered) {
    warnings.push(
      `${queue}: whether events that were accepted are lost if the server is killed, or is full, is not known, for it has refused INFO; if the user may not ask it, allow +info`,
    );
  }
  if (appendOnly === false) {
    warnings.push(`${queue}: appendonly is off, so events that were accepted are lost if the server is killed`);
  }
  if (policy !== undefined && policy !== 'noeviction' && !policy.startsWith('volatile-')) {
    warnings.push(
      `${queue}: maxmemory-policy is ${policy}, so a full server may drop the queue or a part of it: events are lost, or come again that were acknowledged; set noeviction`,
    );
  }
  // The memory of requests is all that expires here.
  if (policy?.startsWith('volatile-') === true) {
    warnings.push(
      `${queue}: maxmemory-policy is ${policy}, so a full server may forget which pushes it has done, and store one that is sent again twice; set noeviction`,
    );
  }
  return warnings;
}
