import { defineScript } from '../script.ts';
import { consumeScript } from './consume.ts';
import { lettersScript } from './letters.ts';
import { batches, countLeases, inChunks, leaseNames, rememberAnswer, serverTime, settle } from './lua-parts.ts';

/** `readId(text)`: the two numbers of an id of a stream, the second 0 where there is none. */
const readId = `
local function readId(text)
  local ms, sequence = string.match(text, '^(%d+)-?(%d*)$')
  return tonumber(ms), tonumber(sequence) or 0
end
`;

/** `isBefore(id, other)`: of two ids, digit by digit, for the numbers of Lua are not exact. */
const isBefore = `
local function isLess(digits, others)
  return #digits < #others or (#digits == #others and digits < others)
end
local function isBefore(id, other)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  local otherMs, otherSequence = string.match(other, '^(%d+)-(%d+)$')
  return isLess(ms, otherMs) or (ms == otherMs and isLess(sequence, otherSequence))
end
`;

/**
 * `partsOf(record)`: the id and the element of a record, and whether it was replayed: then the id is that of the entry that
 * it comes behind, and it has no entry of its own. `0-0` for one that somebody else has put there without an id.
 */
const partsOfRecord = `
local function partsOf(record)
  local mark, id, element = string.match(record, '^(>?)(%d+%-?%d*) (.*)$')
  return id or '0-0', element or record, mark == '>'
end
`;

/** `infoOf(reply)`: what XINFO answers, by its names. */
const infoOf = `
local function infoOf(reply)
  local info = {}
  for at = 1, #reply, 2 do info[reply[at]] = reply[at + 1] end
  return info
end
`;

/** `groupNamed(name)`: a group as XINFO tells it; `nil` if there is none, or no stream. */
const groupNamed = `
local function groupNamed(name)
  for _, reply in ipairs(redis.call('EXISTS', stream) == 1 and redis.call('XINFO', 'GROUPS', stream) or {}) do
    local info = infoOf(reply)
    if info.name == name then return info end
  end
end
`;

/**
 * `unread(group, most)`: how many entries `group`, as XINFO GROUPS tells it, has not been given yet. Redis knows unless
 * entries were deleted, the group was set to somewhere else, or the server is older than 7: then they are counted, up to
 * `most`.
 */
const countUnread = `
local function unread(group, most)
  if group.lag then return group.lag end
  return #redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', most)
end
`;

/**
 * Stores the first of some elements in a stream, as far as there is room, and trims what no group needs any more.
 *
 * The slowest group decides: what it has not been given yet, what was given back to it, and what it delays. A stream
 * without any group is counted whole. Trimmed are entries that every group has been given, as far as there are more than
 * are to be kept for a replay; a tenth more than that is left, so that it need not be done at each push. No push trims more
 * than 1,000, or than a megabyte and twice what it brings, for they are read to be counted.
 *
 * - KEYS: memory of the producer, stream, and what the keys of every group begin with
 * - ARGV: request number, how long the memory is kept in ms, capacity (0: no limit), how many entries to keep, then the
 *   elements
 * - Answers how many are stored.
 */
export const streamPush = defineScript(`
local memory, stream, base = KEYS[1], KEYS[2], KEYS[3]
local capacity, keep, mostTrimmed = tonumber(ARGV[3]), tonumber(ARGV[4]), 1000
${rememberAnswer}${infoOf}${countUnread}${batches}${isBefore}
if known then return known end
local count = #ARGV - 4
local length = redis.call('XLEN', stream)
local groups = {}
if redis.call('EXISTS', stream) == 1 then
  for place, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do groups[place] = infoOf(group) end
end
if capacity > 0 then
  local most = #groups == 0 and length or 0
  for _, group in ipairs(groups) do
    local own = base .. group.name .. ':'
    local waits = group.pending + redis.call('ZCARD', own .. 'returned')
      + redis.call('LLEN', own .. 'replayed') + redis.call('ZCARD', own .. 'delayed')
    -- Where there is room even if nothing was read, nobody has to count.
    if group.lag or waits + length + count > capacity then waits = waits + unread(group, capacity + 1) end
    if waits > most then most = waits end
  end
  count = math.max(0, math.min(count, capacity - most))
end
-- First, so that a server that is full of what nobody needs takes events again.
local excess = length - keep
if excess > keep / 10 and #groups > 0 then
  -- No group needs what comes before the first entry that is pending, or up to the last one that it was given.
  local last, upTo
  for _, group in ipairs(groups) do
    local id, isPending = group['last-delivered-id'], false
    local pending = group.pending > 0 and redis.call('XPENDING', stream, group.name)[2]
    if pending and not isBefore(id, pending) then id, isPending = pending, true end
    if not last or isBefore(id, last) or (id == last and isPending) then
      last, upTo = id, isPending and '(' .. id or id
    end
  end
  local needless, from = newBatch(math.min(excess, mostTrimmed)), '-'
  -- More than comes, or it would never end.
  for at = 5, 4 + count do needless.size = needless.size - 2 * #ARGV[at] end
  fill(needless, function(_, most)
    local entries = redis.call('XRANGE', stream, from, upTo, 'COUNT', most)
    if #entries > 0 then from = '(' .. entries[#entries][1] end
    for place, entry in ipairs(entries) do
      entries[place] = #entry[2] == 2 and entry[2][2] or table.concat(entry[2])
    end
    return entries
  end)
  if #needless > 0 then redis.call('XTRIM', stream, 'MAXLEN', '=', length - #needless) end
end

for at = 5, 4 + count do redis.call('XADD', stream, '*', 'd', ARGV[at]) end
if count > 0 then remember(count) end
return count
`);

/**
 * What a consumer of a group asks of a stream. A record is the id of an entry, a blank, and the element; of what was
 * replayed, there is a `>` in front.
 *
 * Entries are read without being left pending: what was handed out is held here, with its lease. Only what has woken
 * somebody is pending, with the consumer `staged`, until the next claim of whoever takes it. What is given back comes
 * before everything that was pushed later, in the order of the ids. What is replayed notes the last id of the stream at that
 * moment, and comes once the group has read that far; or when nothing else is there, for that entry may be deleted.
 */
export const streamConsume = consumeScript({
  keys: ['stream', 'returned', 'replayed', 'groupKey'],
  lua: `
local group = string.match(groupKey, '([^:]*):$')
${readId}${infoOf}${groupNamed}${partsOfRecord}
local function elementOf(record)
  local _, element = partsOf(record)
  return element
end
local function counted(record)
  local id, element, wasReplayed = partsOf(record)
  return (wasReplayed and '>' or '') .. id .. ' ' .. handedOut(element)
end
local function giveBack(records, names)
  local members = {}
  for place, record in ipairs(records) do
    local ms, sequence = readId((partsOf(record)))
    members[#members + 1] = 0
    -- All have the same score, so they are in the order of their bytes.
    members[#members + 1] = string.format('%015.0f-%012.0f %s ', ms, sequence, names[place]) .. record
  end
  inChunks('ZADD', returned, members, 1, #members)
end
local function read(consumerName, max, ...)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumerName, 'COUNT', max, ...)
  if reply and reply.err then
    -- Somebody has deleted the stream, or the group: it begins anew. Whatever else it is, it fails again.
    if not string.find(reply.err, 'NOGROUP', 1, true) then redis.call('XREADGROUP', 'GROUP', group, consumerName, 'COUNT', max, ...) end
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    return {}
  end
  return reply and reply[1] and reply[1][2] or {}
end
local function recordOf(entry)
  local fields = entry[2] or {}
  for at = 1, #fields, 2 do
    if fields[at] == 'd' then return entry[1] .. ' ' .. fields[at + 1] end
  end
  -- Somebody else's, which is no event.
  return entry[1] .. ' ' .. table.concat(fields, '\\n')
end
local function ownGroup() return groupNamed(group) or {['last-delivered-id'] = '0-0'} end
-- Of an entry that is left pending, Redis 7 does not tell its replicas, nor its file, that it was read (redis/redis#12898):
-- whoever goes on from there would take the queue for fuller than it is, and in the end for full.
local function tellCount(hasWoken, hasAll)
  local info = ownGroup()
  local count = info['entries-read']
  if not count then return end
  if hasAll and info.lag and info.lag ~= 0 then
    count = infoOf(redis.call('XINFO', 'STREAM', stream))['entries-added']
  elseif not hasWoken then
    return
  end
  redis.call('XGROUP', 'SETID', stream, group, info['last-delivered-id'], 'ENTRIESREAD', count)
end
local function take(max, startLease)
  -- A stream gives an entry once: what could not be held must not be read.
  redis.call('ZADD', leases, 'XX', 0, '')
  redis.call('DEL', held)
  redis.call('RPUSH', held, '')
  redis.call('DEL', held)
  local batch = newBatch(max)
  local fromReturned = fill(batch, function(from, count)
    local records = redis.call('ZRANGE', returned, from, from + count - 1)
    for place, member in ipairs(records) do records[place] = string.match(member, '^%S+ %S+ (.*)$') or member end
    return records
  end)
  local woke = {}
  if not isFull(batch) then
    for _, entry in ipairs(read('staged', math.min(16, batch.max - #batch), 'STREAMS', stream, '0')) do
      woke[#woke + 1] = entry[1]
      if entry[2] then add(batch, recordOf(entry)) end
    end
  end
  local hasReplayed, fromReplayed = redis.call('LLEN', replayed) > 0, 0
  if hasReplayed and not isFull(batch) then
    local ms, sequence = readId(ownGroup()['last-delivered-id'])
    fromReplayed = fill(batch, function(from, count)
      local records = redis.call('LRANGE', replayed, from, from + count - 1)
      for place, record in ipairs(records) do
        local behindMs, behindSequence = readId((partsOf(record)))
        if ms < behindMs or (ms == behindMs and sequence < behindSequence) then return {unpack(records, 1, place - 1)} end
      end
      return records
    end)
  end
  local step, hasAll = 16, false
  while not isFull(batch) do
    local count = math.min(step, batch.max - #batch)
    local entries = read('taken', count, 'NOACK', 'STREAMS', stream, '>')
    for _, entry in ipairs(entries) do add(batch, recordOf(entry)) end
    hasAll = #entries < count
    if hasAll then break end
    step = 2 * step
  end
  -- Nothing is left that they could be behind.
  if hasReplayed and not isFull(batch) then
    local before = fromReplayed
    fromReplayed = before + fill(batch, function(from, count)
      return redis.call('LRANGE', replayed, before + from, before + from + count - 1)
    end)
  end
  if #batch > 0 then inChunks('RPUSH', startLease(#batch), batch, 1, #batch) end
  if fromReturned > 0 then redis.call('ZREMRANGEBYRANK', returned, 0, fromReturned - 1) end
  if #woke > 0 then redis.call('XACK', stream, group, unpack(woke)) end
  if fromReplayed > 0 then redis.call('LTRIM', replayed, fromReplayed, -1) end
  if #woke > 0 or hasAll then tellCount(#woke > 0, hasAll) end
  return #batch
end
`,
});

/**
 * Counts what a group has before it, as a pop would find it. Writes nothing. Where Redis does not know how many entries
 * are unread, up to 10,000 are counted.
 *
 * - KEYS: what the keys of lists that are held begin with, leases, delayed, stream, returned, replayed, groupKey
 * - Answers: as for a list.
 */
export const streamSize = defineScript(`
local held, leases, delayed, stream, returned, replayed, groupKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local name = string.match(groupKey, '([^:]*):$')
${serverTime}${infoOf}${groupNamed}${countUnread}${leaseNames}
local time = now()
${countLeases}
local waits, oldest = 0, redis.call('ZRANGE', returned, 0, 0)[1]
oldest = oldest and string.match(oldest, '^%S+ %S+ %S+ (.*)$') or ''
local group = groupNamed(name)
if group then
  local count = unread(group, 10000)
  if count == 10000 and not group.lag then exact = 0 end
  waits = count + group.pending
  if oldest == '' then
    local entry = redis.call('XRANGE', stream, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)[1]
    if entry and entry[2][1] == 'd' then oldest = entry[2][2] end
  end
end
return {
  waits + redis.call('ZCARD', returned) + redis.call('LLEN', replayed) + due + back,
  inFlight,
  redis.call('ZCARD', delayed) - due,
  exact,
  time,
  string.sub(oldest, 1, 100),
}
`);

/** Dead letters of a group: those that are replayed come to this group alone. KEYS that follow: stream, replayed. */
export const streamLetters = lettersScript({
  keys: ['stream', 'replayed'],
  lua: `
${infoOf}
local function replay(element)
  local last = redis.call('EXISTS', stream) == 1 and infoOf(redis.call('XINFO', 'STREAM', stream))['last-generated-id'] or '0-0'
  redis.call('RPUSH', replayed, '>' .. last .. ' ' .. element)
end
`,
});

/**
 * Sets a group back to an entry, or on to the end where there is none behind it. What the group holds, delays or was given
 * back is forgotten where it comes again: whoever holds it has lost it. It is left where it is older, no longer in the
 * stream, or was replayed, for it would be lost.
 *
 * - KEYS: memory of the requests, what the keys of lists that are held begin with, leases, delayed, stream, returned, groupKey
 * - ARGV: request number, how long the memory is kept in ms, the two numbers of the id of the entry that comes first
 */
export const streamRewind = defineScript(`
local memory, held, leases, delayed, stream, returned, groupKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local group = string.match(groupKey, '([^:]*):$')
local ms, sequence = tonumber(ARGV[3]), tonumber(ARGV[4])
${rememberAnswer}${readId}${infoOf}${groupNamed}${partsOfRecord}${inChunks}${leaseNames}${settle}
if known then return known end
-- Somebody may have deleted the stream, or the group. What fails without it must not do so when something is gone already.
if not groupNamed(group) then redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM') end
local function comesAgain(record)
  local id, _, wasReplayed = partsOf(record)
  if wasReplayed then return false end
  local ownMs, ownSequence = readId(id)
  if ownMs < ms or (ownMs == ms and ownSequence < sequence) then return false end
  local found = redis.pcall('XRANGE', stream, id, id)
  return not found.err and #found > 0
end
local gone = {}
for _, member in ipairs(redis.call('ZRANGE', returned, 0, -1)) do
  if comesAgain(string.match(member, '^%S+ %S+ (.*)$') or member) then gone[#gone + 1] = member end
end
inChunks('ZREM', returned, gone, 1, #gone)
local ended = {}
for _, lease in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
  local name, count, places = openOf(lease)
  local left = 0
  for _, place in ipairs(places) do
    if comesAgain(redis.call('LINDEX', held .. name, place)) then settleLater(name, count, place) else left = left + 1 end
  end
  if left == 0 then ended[#ended + 1] = lease end
end
settleThem()
inChunks('ZREM', leases, ended, 1, #ended)
gone = {}
for _, member in ipairs(redis.call('ZRANGE', delayed, 0, -1)) do
  if comesAgain(string.match(member, '^%S+ (.*)$') or member) then gone[#gone + 1] = member end
end
inChunks('ZREM', delayed, gone, 1, #gone)
local woke = redis.call('XREADGROUP', 'GROUP', group, 'staged', 'STREAMS', stream, '0')
for _, entry in ipairs(woke and woke[1] and woke[1][2] or {}) do
  if comesAgain(entry[1] .. ' ') then redis.call('XACK', stream, group, entry[1]) end
end
local lastMs, lastSequence = readId(infoOf(redis.call('XINFO', 'STREAM', stream))['last-generated-id'])
local before
if ms > lastMs or (ms == lastMs and sequence > lastSequence) then before = '$'
elseif sequence > 0 then before = string.format('%.0f-%.0f', ms, sequence - 1)
elseif ms > 0 then before = string.format('%.0f-18446744073709551615', ms - 1)
else before = '0-0' end
redis.call('XGROUP', 'SETID', stream, group, before)
remember(0)
return 0
`);
