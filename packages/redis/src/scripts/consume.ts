import { defineScript, type Script } from '../script.ts';
import { batches, countHandOut, inChunks, readLease, serverTime } from './lua-parts.ts';

/**
 * How a mode keeps what is ready, in Lua. What is held, delayed or given back is a record: an element, and perhaps where
 * it belongs.
 */
export interface ReadyParts {
  /** Names of the keys that follow the common ones. */
  readonly keys: readonly string[];
  /**
   * Defines `elementOf(record)`; `elementsOf(records)`, the same of many, in their place; `counted(record)`, the record with one more hand-out; `giveBack(records, fields)`, which
   * makes records ready again that are in the order in which they are to be taken, each with the field under which it was
   * held; `take(batch, hold)`, which fills the batch with records, the oldest first, and calls `hold(batch)` before any of
   * them can be lost; and `leasesTell`, whether nothing that is held is ever given to somebody else
   * before its lease has ended.
   */
  readonly lua: string;
}

/** The keys of the script that every mode has, in their order. */
const consumeKeys = ['held', 'leases', 'delayed', 'dead', 'memory'] as const;

/**
 * Everything that a consumer asks for, in one step: it acknowledges, gives back, renews, and takes.
 *
 * A hand-out is a field of `held`, named after its consumer and its number, which is never used again: whoever comes too
 * late finds no such field, and touches nothing else. What is handed out together shares one member of `leases`,
 * `<consumer>:<first>:<count>`, with the moment at which the lease ends; one of them that is renewed has a member of its
 * own, which then counts for it. Whoever takes also gives back what is over: leases that have ended, and delays.
 *
 * Requests are numbered and the last one is remembered, as for a push. When it is seen again, what was taken is read from
 * `held`: without that, what an answer that was lost had handed out would be away until its lease ends. If the memory is
 * gone meanwhile, that is what happens: nothing is put in the place of what is held.
 *
 * The first write is one that Redis allows when it is out of memory (ZREM): only then may the others follow, and a full
 * server can be emptied. What is moved is stored before it is forgotten, for a script that fails half-way is not undone.
 *
 * - KEYS: those of `consumeKeys`, then those of the mode
 * - ARGV: consumer, request number, how long the memory is kept in ms, lease in ms, how many to take at most, number of the
 *   first hand-out, whether to look for what is over, then how many of each follow: ended leases, acknowledgements, returns,
 *   renewals; then these: the members of leases, fields of held, (field, delay in ms, or -1 for what nobody was given, head
 *   of the dead letter or '') and
 *   (field, ms); at last the leases under which all was handed out that is acknowledged, if that is known
 * - Answers: which settlements and renewals found nothing, by their place, from 1; in how many ms something will be over
 *   (-1: nothing will); then the elements that were taken, with nil where one is gone again.
 */
export function consumeScript({ keys, lua }: ReadyParts): Script {
  const names = [...consumeKeys, ...keys];
  return defineScript(`
local ${names.join(', ')} = ${names.map((_name, index) => `KEYS[${index + 1}]`).join(', ')}
local consumer, request, keepMs, leaseMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local max, first, tends = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local ended, acks, returns, renewals = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
${serverTime}${inChunks}${batches}${readLease}${countHandOut}${lua}
local function fieldOf(number) return consumer .. ':' .. string.format('%.0f', number) end

local last = redis.call('GET', memory)
if last then
  local number, taken, late = string.match(last, '^(%d+):(%d+):(.*)$')
  if number == request then
    local records = {}
    for place = 1, taken do records[place] = redis.call('HGET', held, fieldOf(first + place - 1)) end
    return {late, 0, elementsOf(records)}
  end
  if tonumber(request) < tonumber(number) then return redis.error_reply('NQSTALE a later request was executed before') end
elseif max > 0 and redis.call('HEXISTS', held, fieldOf(first)) == 1 then
  return redis.error_reply('NQFORGOTTEN the request was executed before')
end

redis.call('ZREM', leases, '')
local at = 12 + ended

local late = {}
-- What has a lease that was not ended by anybody is still held: then one call forgets all, and says so.
local shared = at + acks + 3 * returns + 2 * renewals
local isOurs = leasesTell and acks <= 999 and #ARGV >= shared
for place = shared, #ARGV do isOurs = isOurs and redis.call('ZSCORE', leases, ARGV[place]) end
if isOurs then
  local forgotten = redis.call('HDEL', held, unpack(ARGV, at, at + acks - 1))
  -- Only where somebody has deleted by hand what was held, which one cannot be told any more.
  for place = 1, forgotten < acks and acks or 0 do late[place] = place end
  at = at + acks
else
  for place = 1, acks do
    if redis.call('HDEL', held, ARGV[at]) == 0 then late[#late + 1] = place end
    at = at + 1
  end
end

local time = now()
local back, fields = {}, {}
for place = acks + 1, acks + returns do
  local field, delayMs, head = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  local record = redis.call('HGET', held, field)
  if not record then late[#late + 1] = place
  elseif head ~= '' then
    redis.call('RPUSH', dead, head .. '\\n' .. asPushed(elementOf(record)))
    redis.call('HDEL', held, field)
  elseif delayMs > 0 then
    -- Two records may be the same, but not two members: each is told apart by its hand-out.
    redis.call('ZADD', delayed, time + delayMs, field .. ' ' .. counted(record))
    redis.call('HDEL', held, field)
  else
    back[#back + 1] = delayMs < 0 and record or counted(record)
    fields[#fields + 1] = field
  end
end
giveBack(back, fields)
inChunks('HDEL', held, fields, 1, #fields)

for place = acks + returns + 1, acks + returns + renewals do
  local field, ms = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  if redis.call('HEXISTS', held, field) == 0 then late[#late + 1] = place
  else redis.call('ZADD', leases, time + ms, field .. ':1') end
end

-- Last, so that what could not be settled is found again when its lease ends.
inChunks('ZREM', leases, ARGV, 12, 11 + ended)

local overdue = false
if tends then
  local over, looked = redis.call('ZRANGEBYSCORE', leases, '-inf', time, 'LIMIT', 0, 64), 0
  back, fields = newBatch(1000), {}
  while looked < #over and not isFull(back) do
    looked = looked + 1
    -- What is no lease goes as if it were an empty one.
    local owner, from, count = handsOf(over[looked])
    for hand = from or 0, (from or 0) + (count or 0) - 1 do
      local field = owner .. ':' .. string.format('%.0f', hand)
      -- One that was renewed has a lease of its own, which is looked at by itself.
      if count == 1 or not redis.call('ZSCORE', leases, field .. ':1') then
        local record = redis.call('HGET', held, field)
        if record then
          fields[#fields + 1] = field
          add(back, counted(record))
        end
      end
    end
  end
  giveBack(back, fields)
  inChunks('HDEL', held, fields, 1, #fields)
  inChunks('ZREM', leases, over, 1, looked)
  local due = newBatch(256)
  fill(due, function(from, count)
    return redis.call('ZRANGEBYSCORE', delayed, '-inf', time, 'LIMIT', from, count)
  end)
  back, fields = {}, {}
  for place, member in ipairs(due) do
    local space = string.find(member, ' ', 1, true) or 0
    fields[place], back[place] = string.sub(member, 1, math.max(0, space - 1)), string.sub(member, space + 1)
  end
  giveBack(back, fields)
  inChunks('ZREM', delayed, due, 1, #due)
  overdue = looked == 64 or looked < #over or isFull(due)
end

local digits = {[0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}
local function hold(records)
  local count = #records
  if count == 0 then return end
  local pairs, tens = {}, nil
  for place = 1, count do
    local hand = first + place - 1
    local digit = hand % 10
    -- As fieldOf does, and faster: only one number of ten is written.
    if digit == 0 or not tens then tens = hand < 10 and consumer .. ':' or fieldOf((hand - digit) / 10) end
    pairs[2 * place - 1] = tens .. digits[digit]
    pairs[2 * place] = records[place]
  end
  -- The lease first: what has none would be held for ever.
  redis.call('ZADD', leases, time + leaseMs, pairs[1] .. ':' .. count)
  inChunks('HSET', held, pairs, 1, 2 * count)
end
local taken = newBatch(max)
if max > 0 then take(taken, hold) end

local nextMs = -1
if overdue then nextMs = 0
elseif max > 0 and #taken == 0 then
  for _, key in ipairs({leases, delayed}) do
    local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if head[2] then
      local ms = math.max(0, tonumber(head[2]) - time)
      if nextMs < 0 or ms < nextMs then nextMs = ms end
    end
  end
end

late = table.concat(late, ',')
redis.call('SET', memory, request .. ':' .. #taken .. ':' .. late, 'PX', keepMs)
return {late, nextMs, elementsOf(taken)}
`);
}
