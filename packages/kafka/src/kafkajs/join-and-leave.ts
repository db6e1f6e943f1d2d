import { within } from '@nq/core/parts';
import { adapted, type Cluster, type ConsumerGroup, endConnections } from './internals.ts';
import type { MemberParts } from './member-parts.ts';

/** How long a coordinator that does not answer is waited for when a member leaves, in milliseconds. */
const leaveMs = 500;
/** How often is looked whether the group has given a name to who joins, in milliseconds: it does so at once. */
const lookMs = 5;

/** The groups whose join has no answer yet. */
const joining = new WeakSet<ConsumerGroup>();

/** Why the coordinator has refused the join under way: of some errors, kafkajs keeps the message alone. */
const refusals = new WeakMap<ConsumerGroup, unknown>();

/** Reads what a coordinator answers to who joins: its name, long before kafkajs tells it, and why it is refused. */
export function readJoins(cluster: Cluster, group: ConsumerGroup): void {
  const find = cluster.findGroupCoordinator.bind(cluster);
  cluster.findGroupCoordinator = async (asked) =>
    adapted(await find(asked), (protocol) => {
      const { apiName } = protocol.request;
      if (apiName !== 'JoinGroup' && apiName !== 'SyncGroup') return protocol;
      refusals.delete(group);
      const parse = async (answer: unknown): Promise<unknown> => {
        const { memberId = '' } = answer as { readonly memberId?: string };
        if (memberId !== '') group.memberId = memberId;
        try {
          return await protocol.response.parse(answer);
        } catch (error) {
          refusals.set(group, error);
          throw error;
        }
      };
      return { ...protocol, response: { ...protocol.response, parse } };
    });
}

/** @throws what the coordinator has answered last, if it refuses; otherwise whatever kafkajs throws. */
export async function joinGroup(group: ConsumerGroup): Promise<void> {
  joining.add(group);
  refusals.delete(group);
  try {
    await group.joinAndSync();
  } catch (error) {
    throw refusals.get(group) ?? error;
  } finally {
    joining.delete(group);
  }
}

/** Leaves a group, so that others need not wait for the end of the session; not longer than they would. Never rejects. */
export async function leaveGroup(group: ConsumerGroup | undefined, parts: MemberParts): Promise<void> {
  if (group !== undefined)
    await within(
      leave(group, parts).catch(() => {}),
      leaveMs,
      undefined,
      parts.clock,
    );
}

async function leave(group: ConsumerGroup, { clock, options, newCluster }: MemberParts): Promise<void> {
  while (joining.has(group) && group.memberId === null) {
    await new Promise<void>((resolve) => {
      clock.schedule(resolve, lookMs);
    });
  }
  const { memberId } = group;
  if (memberId === null || !joining.has(group)) return group.leave();
  // A join may wait for others for long, and a broker deals with what one connection asks one after the other.
  const cluster = newCluster();
  try {
    await cluster.connect();
    const coordinator = await cluster.findGroupCoordinator({ groupId: options.group });
    await coordinator.leaveGroup({ groupId: options.group, memberId });
  } finally {
    endConnections(cluster);
  }
}
