import { defineScript } from '../script.ts';
import { countHandOut, inChunks, serverTime } from './lua-parts.ts';

/**
 * Everything that a consumer asks for, in one step: it acknowledges, gives back, renews, and takes.
 *
 * A hand-out is a field of `held`, named after its consumer and its number, which is never used again: whoever comes too
 * late finds no such field, and touches nothing else. What is handed out together shares one member of `leases`,
 * `<consumer>:<first>:<count>`, with the moment at which the lease ends; one of them that is renewed has a member of its
 * own, which then counts for it. Whoever takes also gives back what is over: leases that have ended, and delays.
 *
 * Requests are numbered and the last one is remembered, as for a push. When it is seen again, what was taken is read from
 * `held`: without that, what an answer that was lost had handed out would be away until its lease ends.
 *
 * The first write is one that Redis allows when it is out of memory (ZREM): only then may the others follow, and a full
 * server can be emptied.
 *
 * - KEYS: ready, staged, held, leases, delayed, dead, memory of the consumer
 * - ARGV: consumer, request number, how long the memory is kept in ms, lease in ms, how many to take at most, number of the
 *   first hand-out, whether to look for what is over, then how many of each follow: ended leases, acknowledgements, returns,
 *   renewals; then these: the members of leases, fields of held, (field, delay in ms, head of the dead letter or '') and
 *   (field, ms)
 * - Answers: which settlements and renewals found nothing, by their place, from 1; in how many ms something will be over
 *   (-1: nothing will); then each element that was taken, or nil where it is gone again.
 */
export const consumeScript = defineScript(`
local ready, staged, held, leases, delayed, dead, memory = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local consumer, request, keepMs, leaseMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local max, first, tends = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local ended, acks, returns, renewals = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
${serverTime}${inChunks}${countHandOut}
local last = redis.call('GET', memory)
if last then
  local number, taken, late = string.match(last, '^(%d+):(%d+):(.*)$')
  if number == request then
    local answer = {late, 0}
    for tag = first, first + taken - 1 do
      answer[#answer + 1] = redis.call('HGET', held, consumer .. ':' .. string.format('%.0f', tag))
    end
    return answer
  end
  if tonumber(request) < tonumber(number) then return redis.error_reply('NQSTALE a later request was executed before') end
end

redis.call('ZREM', leases, '')
local at = 12 + ended

local late = {}
for place = 1, acks do
  if redis.call('HDEL', held, ARGV[at]) == 0 then late[#late + 1] = place end
  at = at + 1
end

local time = now()
for place = acks + 1, acks + returns do
  local field, delayMs, head = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  local element = redis.call('HGET', held, field)
  if not element then late[#late + 1] = place
  else
    -- Stored first, for a script that fails half-way is not undone.
    if head ~= '' then redis.call('RPUSH', dead, head .. '\\n' .. asPushed(element))
    -- Two elements may be the same, but not two members: each is told apart by its hand-out.
    elseif delayMs > 0 then redis.call('ZADD', delayed, time + delayMs, field .. ' ' .. handedOut(element))
    else redis.call('RPUSH', ready, handedOut(element)) end
    redis.call('HDEL', held, field)
  end
end

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
  local over = redis.call('ZRANGEBYSCORE', leases, '-inf', time, 'LIMIT', 0, 64)
  local back, fields = {}, {}
  for _, lease in ipairs(over) do
    local owner, from, count = string.match(lease, '^(.*):(%d+):(%d+)$')
    for tag = tonumber(from), from + count - 1 do
      local field = owner .. ':' .. string.format('%.0f', tag)
      -- One that was renewed has a lease of its own, which is looked at by itself.
      if count == '1' or not redis.call('ZSCORE', leases, field .. ':1') then
        local element = redis.call('HGET', held, field)
        if element then
          fields[#fields + 1] = field
          back[#back + 1] = handedOut(element)
        end
      end
    end
  end
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', time, 'LIMIT', 0, 256)
  for _, member in ipairs(due) do back[#back + 1] = string.sub(member, string.find(member, ' ', 1, true) + 1) end
  -- What comes back goes to the end from which is taken, the first one last. Stored before it is forgotten, as above.
  for from = 1, math.floor(#back / 2) do back[from], back[#back + 1 - from] = back[#back + 1 - from], back[from] end
  inChunks('RPUSH', ready, back, 1, #back)
  inChunks('HDEL', held, fields, 1, #fields)
  inChunks('ZREM', leases, over, 1, #over)
  inChunks('ZREM', delayed, due, 1, #due)
  overdue = #over == 64 or #due == 256
end

local taken = {}
if max > 0 then
  taken = redis.call('RPOP', staged, max) or {}
  if #taken < max then
    local more = redis.call('RPOP', ready, max - #taken)
    if more then for place = 1, #more do taken[#taken + 1] = more[place] end end
  end
  if #taken > 0 then
    local fields = {}
    for place = 1, #taken do
      fields[#fields + 1] = consumer .. ':' .. string.format('%.0f', first + place - 1)
      fields[#fields + 1] = taken[place]
    end
    inChunks('HSET', held, fields, 1, #fields)
    redis.call('ZADD', leases, time + leaseMs, consumer .. ':' .. string.format('%.0f', first) .. ':' .. #taken)
  end
end

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
local answer = {late, nextMs}
for place = 1, #taken do answer[#answer + 1] = taken[place] end
return answer
`);
