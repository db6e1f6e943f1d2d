/**
 * Parts of the scripts, in Lua 5.1 as Redis 6.2 and later run it. They end in a newline and declare local functions.
 *
 * @module
 */

/** `now()`: the time of the server in milliseconds since the Unix epoch. What is decided here goes by no other clock. */
export const serverTime = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/**
 * `inChunks(command, key, values, from, to)`: calls `command` with as many of the values as one call may carry, and answers
 * the last reply. `unpack` fails at some 8,000 values (BullMQ #422, dramatiq #258, bee-queue #123).
 */
export const inChunks = `
local function inChunks(command, key, values, from, to)
  local reply = 0
  while from <= to do
    local last = math.min(from + 999, to)
    reply = redis.call(command, key, unpack(values, from, last))
    from = last + 1
  end
  return reply
end
`;

/**
 * `fill(batch, look)`: adds to `batch` what `look(from, count)` answers, elements from the position `from` on, until it holds
 * `batch.max` of them, or they are large together; answers how many. No script reads more at once than it may have to answer,
 * and none keeps the server from others for long. `newBatch(max)` makes an empty one, `isFull(batch)` tells whether it
 * takes no more, and `add(batch, element)` adds one that must not be left out.
 */
export const batches = `
local mostBytes = 1048576
local function newBatch(max) return {max = max, size = 0} end
local function isFull(batch) return #batch >= batch.max or batch.size >= mostBytes end
local function add(batch, element)
  batch[#batch + 1] = element
  batch.size = batch.size + #element
end
local function fill(batch, look)
  local from, step, filled, size = 0, 16, #batch, batch.size
  while filled < batch.max and size < mostBytes do
    local count = math.min(step, batch.max - filled)
    local elements = look(from, count)
    local found = #elements
    for place = 1, found do
      if size >= mostBytes then found = place - 1 break end
      filled = filled + 1
      batch[filled] = elements[place]
      size = size + #elements[place]
    end
    from = from + found
    if found < count then break end
    step = 2 * step
  end
  batch.size = size
  return from
end
`;

/**
 * `leaseOf(name, count, place)`: the member of `leases` that is for a list, named without what all keys of lists begin
 * with, and with so many places; or for one place of it alone, from 0. `listOf(lease)`: these three of such a member,
 * without a place if it is for all of them; `nil` if it is not ours, for there is no such list.
 *
 * `settledOf(name)`: the key of the set of the places that are settled.
 */
export const leaseNames = `
local function leaseOf(name, count, place)
  local lease = name .. ':' .. count
  return place and lease .. ':' .. place or lease
end
local function listOf(lease)
  local name, count, place = string.match(lease, '^([^:]*:%d+):(%d+):?(%d*)$')
  count, place = tonumber(count), tonumber(place)
  if not name or leaseOf(name, count, place) ~= lease then return nil end
  if redis.pcall('LLEN', held .. name) ~= count or (place and place >= count) then return nil end
  return name, count, place
end
local function settledOf(name) return held .. name .. ':settled' end
`;

/**
 * `isHeld(name, place)`: whether something is held there. `recordAt(name, place)`: what it is; false if nothing is.
 *
 * `openOf(lease)`: the list that a member of `leases` names, how many places it has, and those of them, as a table, that are
 * held under this member: they are not settled, and have no member of their own. None of a member that is not ours.
 *
 * `nameOf(name, place)`: a name for a hand-out, in the order of the hand-outs of its consumer.
 *
 * `settle(name, count, places, isWhole)`: forgets some places, and the list and its lease once nothing of it is held.
 * `isWhole` says that nothing else of it is held; otherwise that is found out, for a place may be there twice.
 * `settleLater(name, count, place)` notes one for `settleThem()`, which settles what is noted.
 */
export const settle = `
local function isHeld(name, place)
  return redis.call('EXISTS', held .. name) == 1 and redis.call('SISMEMBER', settledOf(name), place) == 0
end
local function recordAt(name, place)
  return redis.call('SISMEMBER', settledOf(name), place) == 0 and redis.call('LINDEX', held .. name, place)
end
local function openOf(lease)
  local name, count, own = listOf(lease)
  local open = {}
  if not name then return name, count, open end
  -- What is no set is not ours either.
  if own then
    if redis.pcall('SISMEMBER', settledOf(name), own) == 0 then open[1] = own end
    return name, count, open
  end
  local members, settled = redis.pcall('SMEMBERS', settledOf(name)), {}
  if members.err then return name, count, open end
  for _, place in ipairs(members) do settled[place] = true end
  for place = 0, count - 1 do
    local isOwn = count > 1 and redis.call('ZSCORE', leases, leaseOf(name, count, place))
    if not settled[tostring(place)] and not isOwn then
      open[#open + 1] = place
    end
  end
  return name, count, open
end
local function nameOf(name, place)
  local owner, first = string.match(name, '^(.*):(%d+)$')
  return string.format('%s:%015.0f', owner, first + place)
end
local function settle(name, count, places, isWhole)
  if #places == 0 then return end
  if count > 1 and not isWhole then
    inChunks('SADD', settledOf(name), places, 1, #places)
    if redis.call('SCARD', settledOf(name)) < count then return end
  end
  redis.call('DEL', held .. name, settledOf(name))
  redis.call('ZREM', leases, leaseOf(name, count))
end
local settling = {}
local function settleLater(name, count, place)
  local last = settling[#settling]
  if not last or last.name ~= name then
    last = {name = name, count = count}
    settling[#settling + 1] = last
  end
  last[#last + 1] = place
end
local function settleThem()
  for _, places in ipairs(settling) do settle(places.name, places.count, places) end
  settling = {}
end
`;

/**
 * `handedOut(element)`: the element with one more hand-out counted, in its first member. The rest is never parsed, for
 * cjson would lose empty arrays and large numbers. What is no JSON object with members is left as it is: it becomes a dead
 * letter at its next hand-out. A number of more than nine digits, which nobody can have counted, is not counted on: counting
 * begins anew in front of it.
 *
 * `asPushed(element)`: the element without that member.
 */
export const countHandOut = `
local function handedOut(element)
  local digits, rest = string.match(element, '^{"nqattempt":(%d+),(.*)$')
  if digits and #digits <= 9 then return '{"nqattempt":' .. (digits + 1) .. ',' .. rest end
  local first = string.match(element, '^%s*{%s*()"')
  if first then return '{"nqattempt":1,' .. string.sub(element, first) end
  return element
end

local function asPushed(element)
  local rest = string.match(element, '^{"nqattempt":%d+,(.*)$')
  return rest and '{' .. rest or element
end
`;

/**
 * For scripts whose first arguments are the number of the request and how long it is remembered in ms, and whose first key
 * is the memory. ioredis sends a command again when its answer was lost: so each request has a number, and the last one is
 * kept with its answer: a number, or several with blanks between, which may be hexadecimal. Only one request is under way at
 * a time, so the last one is enough.
 *
 * `known` is the answer of a request that was seen before, and `remember(answer)` keeps one. It is written down again when
 * it is answered again: WAIT waits for what this very connection has written.
 */
export const rememberAnswer = `
local function remember(answer) redis.call('SET', memory, ARGV[1] .. ':' .. answer, 'PX', ARGV[2]) end
local known = nil
do
  local number, answer = string.match(redis.call('GET', memory) or '', '^(%d+):([%x ]+)$')
  if number == ARGV[1] then
    known = tonumber(answer) or answer
    remember(known)
  elseif number and tonumber(ARGV[1]) < tonumber(number) then
    return redis.error_reply('NQSTALE a later request was executed before')
  end
end
`;

/**
 * `back`, how many hand-outs have a lease that has ended; `inFlight`, how many have one that has not; `due`, how many delays
 * are over; and `exact`, 1 unless there are more than 10,000 leases: the rest counts as one hand-out each, in flight.
 */
export const countLeases = `
local members, lists, own, back = redis.call('ZRANGE', leases, 0, 9999, 'WITHSCORES'), {}, {}, 0
local inFlight = redis.call('ZCARD', leases) - #members / 2
local exact = inFlight == 0 and 1 or 0
local function count(hands, endsAt)
  if tonumber(endsAt) <= time then back = back + hands else inFlight = inFlight + hands end
end
for at = 1, #members, 2 do
  local name, hands, place = listOf(members[at])
  if not place then lists[#lists + 1] = name and {name = name, hands = hands, endsAt = members[at + 1]}
  elseif redis.pcall('SISMEMBER', settledOf(name), place) == 0 then
    own[name] = (own[name] or 0) + 1
    count(1, members[at + 1])
  end
end
for _, list in ipairs(lists) do
  local settled = redis.pcall('SCARD', settledOf(list.name))
  if type(settled) == 'number' then count(math.max(0, list.hands - settled - (own[list.name] or 0)), list.endsAt) end
end
local due = redis.call('ZCOUNT', delayed, '-inf', time)
`;
