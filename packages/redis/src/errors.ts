import { NqError, type NqErrorCode } from '@nq/core';

/** What a failure of Redis, or on the way to it, means for who called. */
export interface RedisFailure {
  /** How the message of the error begins, or its `code`. */
  readonly signs: readonly string[];
  readonly code: NqErrorCode;
  /** What is wrong, for people: ends a sentence that begins with what could not be done. */
  readonly meaning: string;
  /** What of `error` says more, and no secret: which address, database or command. */
  readonly detail?: (error: ClientError) => string | undefined;
}

/** What Node.js and ioredis put into errors, besides what they say. */
interface ClientError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  /** Of each address that a name stands for: Node.js tries them one after another. */
  readonly errors?: readonly ClientError[];
  readonly command?: { readonly name?: unknown; readonly args?: readonly unknown[] };
}

/** The addresses that `error` is about, as Node.js resolved them. */
function addressOf({ address, port, errors }: ClientError): string | undefined {
  if (errors !== undefined && errors.length > 0) return errors.map(addressOf).join(', ');
  if (address === undefined || port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The command that a user may not run, or that it was a key. Which key, no server says. */
function forbiddenOf({ message }: ClientError): string | undefined {
  const command = /run the '([\w|]{1,40})' command/.exec(message)?.[1];
  if (command !== undefined) return `the command ${command}`;
  return /access (?:a key|(?:at least )?one of the keys)/.test(message) ? 'a key' : undefined;
}

/** The database that was chosen. */
function databaseOf({ command }: ClientError): string | undefined {
  return command?.name === 'select' ? `db ${String(command.args?.[0])}` : undefined;
}

/** How ioredis begins what it says when it cannot send a command at all. */
const unsentSigns: readonly string[] = ["Stream isn't writeable", "Cluster isn't ready"];

/**
 * Every failure that is known. The first that fits counts. With `NQ_UNAVAILABLE`, nothing was done: servers say so before
 * they do anything. `docs/redis.md` shows this table.
 */
export const redisFailures: readonly RedisFailure[] = [
  { signs: ['WRONGPASS'], code: 'NQ_CONFIG', meaning: 'the server does not accept the username or the password' },
  { signs: ['NOAUTH'], code: 'NQ_CONFIG', meaning: 'the server wants a password, and none was given' },
  {
    // The last ones are of scripts, in Redis 7.2 and in those before.
    signs: [
      ...['NOPERM', 'ACL failure in script', 'ERR ACL failure in script'],
      ...['ERR The user executing the script', 'The user executing the script'],
    ],
    code: 'NQ_CONFIG',
    meaning: 'the user lacks a permission: aclRules(queueKey, mode) of @nq/redis has the rules that it needs',
    detail: forbiddenOf,
  },
  {
    signs: ['WRONGTYPE'],
    code: 'NQ_CONFIG',
    meaning: 'queueKey, or a key that belongs to it, holds something else',
  },
  {
    signs: ['ERR DB index', 'ERR invalid DB', 'ERR SELECT is not allowed'],
    code: 'NQ_CONFIG',
    meaning: 'the server has no database of that number; a cluster has only 0',
    detail: databaseOf,
  },
  {
    signs: ['ERR unknown command `sentinel`', "ERR unknown command 'sentinel'"],
    code: 'NQ_CONFIG',
    meaning: 'a server is no Sentinel: sentinel.addrs names Sentinels, most of which listen at port 26379',
  },
  {
    signs: ['ERR This instance has cluster support disabled'],
    code: 'NQ_CONFIG',
    meaning: 'a server is no node of a cluster: a single one is given as addr',
  },
  {
    signs: ['ERR unknown command', 'ERR Unknown Redis command', 'Unknown Redis command'],
    code: 'NQ_CONFIG',
    meaning: 'the server lacks a command: nq needs Redis 6.2 or newer',
  },
  {
    signs: ['CROSSSLOT'],
    code: 'NQ_CONFIG',
    meaning: 'keys of this queue lie in different slots of the cluster',
  },
  {
    signs: [
      ...['CERT_', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT', 'UNABLE_TO_GET_ISSUER', 'UNABLE_TO_VERIFY'],
      ...['ERR_TLS_', 'ERR_SSL_', 'EPROTO'],
    ],
    code: 'NQ_CONFIG',
    meaning: 'TLS could not be agreed on with the server',
  },
  { signs: ['OOM'], code: 'NQ_UNAVAILABLE', meaning: 'the server is out of memory (maxmemory)' },
  { signs: ['READONLY', 'UNBLOCKED'], code: 'NQ_UNAVAILABLE', meaning: 'the server is, or has become, a replica' },
  { signs: ['LOADING'], code: 'NQ_UNAVAILABLE', meaning: 'the server is still loading its data' },
  { signs: ['MASTERDOWN'], code: 'NQ_UNAVAILABLE', meaning: 'the server is a replica without its primary' },
  { signs: ['CLUSTERDOWN'], code: 'NQ_UNAVAILABLE', meaning: 'the cluster is down' },
  {
    signs: ['TRYAGAIN', 'MOVED ', 'ASK '],
    code: 'NQ_UNAVAILABLE',
    meaning: 'the slot of this queue is being moved, or is at another node, which only who is given cluster asks',
  },
  { signs: ['BUSY '], code: 'NQ_UNAVAILABLE', meaning: 'the server is busy with a script' },
  { signs: ['MISCONF'], code: 'NQ_UNAVAILABLE', meaning: 'the server cannot save its data, and takes no more' },
  { signs: ['NOREPLICAS'], code: 'NQ_UNAVAILABLE', meaning: 'the server has not enough replicas' },
  {
    signs: ['ERR max number of clients'],
    code: 'NQ_UNAVAILABLE',
    meaning: 'the server has as many clients as it takes',
  },
  { signs: ['ECONNREFUSED'], code: 'NQ_UNAVAILABLE', meaning: 'nothing listens at the address', detail: addressOf },
  {
    signs: ['ENOTFOUND', 'EAI_AGAIN'],
    code: 'NQ_UNAVAILABLE',
    meaning: 'the host is not known',
    // What is no name may hold more than one.
    detail: ({ hostname }) => (hostname !== undefined && /^[\w.:-]+$/.test(hostname) ? hostname : undefined),
  },
  {
    signs: ['EHOSTUNREACH', 'ENETUNREACH'],
    code: 'NQ_UNAVAILABLE',
    meaning: 'there is no way to the host',
    detail: addressOf,
  },
  {
    signs: unsentSigns,
    code: 'NQ_UNAVAILABLE',
    meaning: 'there is no connection',
  },
  {
    // Among the tries may be one whose connection was lost.
    signs: ['Too many Cluster redirections'],
    code: 'NQ_OUTCOME_UNKNOWN',
    meaning: 'the nodes of the cluster have sent the request on too often, as while a slot moves',
  },
  {
    signs: ['Client network socket disconnected before secure TLS'],
    code: 'NQ_UNAVAILABLE',
    meaning: 'the server has hung up before TLS was agreed on: it may speak none at that port',
  },
  {
    signs: ['ETIMEDOUT', 'ECONNRESET', 'EPIPE', 'Connection is closed', 'Command aborted due to connection close'],
    code: 'NQ_OUTCOME_UNKNOWN',
    meaning: 'the connection was lost',
  },
];

/** What ioredis says to who waits for an answer when it ends. */
export const closedMessage = 'Connection is closed.';

/** What ioredis puts into the error of a cluster of which no node could be asked. */
interface FailedCluster {
  readonly lastNodeError?: unknown;
}

/** That no node of a cluster could be asked says less than why the last one could not. */
function rootOf(error: unknown): unknown {
  return (error as FailedCluster | null | undefined)?.lastNodeError ?? error;
}

/** What `error`, thrown by a client of ioredis, means. `undefined` for one that is not known. */
export function failureOf(error: unknown): RedisFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const root = rootOf(error);
  if (root !== error) return failureOf(root);
  const { code } = error as NodeJS.ErrnoException;
  // Redis 6 puts what went wrong in a script behind a sentence about the script.
  const [, inScript = ''] = /^ERR Error running script .*?(?:@user_script: ?\d+: )+-?(.*)$/s.exec(error.message) ?? [];
  const texts = [error.message, inScript, ...(typeof code === 'string' ? [code] : [])];
  return redisFailures.find(({ signs }) => signs.some((sign) => texts.some((text) => text.startsWith(sign))));
}

/** What a request is for. */
export interface Asked {
  /** As it follows 'Cannot '. */
  readonly verb: string;
  /** Whether it matters if it was done: of a question, nobody needs to know. */
  readonly changes: boolean;
}

/** `error` as callers see it. What the server said is only in its `cause`: it may quote keys. */
export function redisError({ verb, changes }: Asked, error: unknown): NqError {
  const failure = failureOf(error);
  const { code, meaning } = failure ?? { code: 'NQ_BACKEND', meaning: 'Redis answered with an error' };
  const detail = failure?.detail?.(rootOf(error) as ClientError);
  const isQuestion = code === 'NQ_OUTCOME_UNKNOWN' && !changes;
  const message = `Cannot ${verb}: ${meaning}${detail === undefined ? '' : ` (${detail})`}`;
  return new NqError(isQuestion ? 'NQ_UNAVAILABLE' : code, message, { cause: withoutCommand(error) });
}

/** ioredis, and servers too, tell with an error what was sent: a password, or events. They are not to end up in a log. */
export function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  // The number of a database is no secret, and is told again when it is refused again.
  if ((error as ClientError).command?.name !== 'select') Reflect.deleteProperty(error, 'command');
  const [quoted] = /,? with args beginning with: .*/s.exec(error.message) ?? [];
  if (quoted !== undefined) {
    const { message, stack } = error;
    error.message = message.replace(quoted, () => '');
    if (stack !== undefined) error.stack = stack.replace(quoted, () => '');
  }
  withoutCommand((error as FailedCluster).lastNodeError);
  return error;
}

/**
 * Whether `error` says that a command was not sent, for the connection had just been lost: it can be sent when there is
 * another one.
 */
export function isUnsent(error: unknown): boolean {
  return error instanceof Error && unsentSigns.some((sign) => error.message.startsWith(sign));
}

/** The error of what was sent, lost its connection, and failed when it was sent again: the first time it may have been done. */
export function lostError(asked: Asked, error: unknown): NqError {
  return unanswered(asked, 'the connection was lost, and what was sent again has failed', {
    cause: withoutCommand(error),
  });
}

/** The error of what was sent, and has no answer in time. */
export function lateError(asked: Asked): NqError {
  return unanswered(asked, 'Redis has not answered in time');
}

function unanswered({ verb, changes }: Asked, why: string, options?: { readonly cause: unknown }): NqError {
  const message = `Cannot ${verb}: ${why}`;
  return changes
    ? new NqError('NQ_OUTCOME_UNKNOWN', `${message}; it may be done`, options)
    : new NqError('NQ_UNAVAILABLE', message, options);
}
