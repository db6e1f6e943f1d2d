import { defineScript, type Script } from '../script.ts';

/**
 * Looks whether a key may be opened in one mode: it must not be of another type, and of the other mode nothing must be left
 * beside it, which nobody would find there any more.
 *
 * - KEYS: the key of the user, and what all other names begin with
 * - Answers the type of the key, and the names of what is left of the other mode. Where either is in the way, nothing was
 *   written.
 */
function openScript(type: 'list' | 'stream', look: string, prepare: string): Script {
  return defineScript(`
local key, base = KEYS[1], KEYS[2]
local groups = base .. 'groups'
local function typeOf(name) return redis.call('TYPE', name).ok end
local answer = {typeOf(key)}
local function look(prefix, names)
  for _, name in ipairs(names) do
    if typeOf(prefix .. name) ~= 'none' then answer[#answer + 1] = prefix .. name end
  end
end
${look}
if #answer > 1 or (answer[1] ~= 'none' and answer[1] ~= '${type}') then return answer end
${prepare}
return answer
`);
}

/** Opens a list: no group must have anything in hand of a stream that was there before. */
export const listOpen = openScript(
  'list',
  `
for _, group in ipairs(redis.call('ZRANGE', groups, 0, -1)) do
  look(base .. group .. ':', {'leases', 'delayed', 'returned', 'replayed', 'dead'})
end
`,
  '',
);

/**
 * Opens a stream, and makes the group unless it is there: on a server that is full, what is there is opened all the same.
 * The names of groups are kept beside the stream, for whoever deletes it deletes them with it.
 *
 * - ARGV: group, the id behind which a new one begins
 */
export const streamOpen = openScript(
  'stream',
  `look(base, {'staged', 'leases', 'delayed', 'dead'})`,
  `
local group, start = ARGV[1], ARGV[2]
if not redis.call('ZSCORE', groups, group) then redis.call('ZADD', groups, 0, group) end
if answer[1] == 'stream' then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    if info[2] == group then return answer end
  end
end
redis.call('XGROUP', 'CREATE', key, group, start, 'MKSTREAM')
`,
);
