import { dealOut, type Member } from '../deal-out.ts';
import { type Assigner, assignerProtocol, type Cluster } from './internals.ts';

const { MemberMetadata, MemberAssignment } = assignerProtocol;

/** All members of a group must know it by this name. */
const name = 'nq-sticky';
const version = 0;

/**
 * Has the leader of a group deal out partitions so that each member keeps what it has, as far as that is fair. Each gets
 * partitions of topics only that it has asked for: kafkajs deals those of its own topics to everybody, and what somebody
 * gets who does not read it comes to nobody.
 *
 * @param wants what we have at the moment, and whether we want all, as the others are told.
 */
export function stickyAssigner(cluster: Cluster, wants: () => Pick<Member, 'owned' | 'claimsAll'>): Assigner {
  return {
    name,
    version,
    protocol({ topics }) {
      const { owned, claimsAll } = wants();
      const userData = Buffer.from(JSON.stringify({ owned: [...owned], claimsAll }));
      return { name, metadata: MemberMetadata.encode({ version, topics, userData }) };
    },
    async assign({ members }) {
      const known = members.map(({ memberId, memberMetadata }) => readMember(memberId, memberMetadata));
      const topics = new Set(known.flatMap((member) => member.topics));
      await cluster.addMultipleTargetTopics([...topics]);
      const partitions = new Map(
        Array.from(topics, (topic) => [
          topic,
          cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
        ]),
      );
      const dealt = dealOut(known, partitions);
      return known.map(({ id }) => ({
        memberId: id,
        memberAssignment: MemberAssignment.encode({ version, assignment: Object.fromEntries(dealt.get(id) ?? []) }),
      }));
    },
  };
}

/** What a member says of itself. Of what it says to have, nothing that is not as it should be counts. */
function readMember(id: string, metadata: Buffer): Member {
  const { topics, userData } = MemberMetadata.decode(metadata);
  const owned = new Map<string, readonly number[]>();
  let claimsAll = false;
  try {
    const said = JSON.parse(userData?.toString() ?? '') as { owned: [unknown, unknown][]; claimsAll: unknown };
    claimsAll = said.claimsAll === true;
    for (const [topic, partitions] of said.owned) {
      if (typeof topic !== 'string' || !Array.isArray(partitions)) continue;
      owned.set(
        topic,
        partitions.filter((partition) => Number.isInteger(partition)),
      );
    }
  } catch {
    // Written by somebody else: it keeps nothing.
  }
  return { id, topics, owned, claimsAll };
}
