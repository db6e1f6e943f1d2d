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
 * and none keeps the server from others for long. `newBatch(max)` makes an empty one, `isFull(batch)` tells whether there is
 * room, and `add(batch, element)` adds one that must not be left out.
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
 * `handsOf(lease)`: the consumer of a member of `leases`, the number of its first hand-out, and how many there are;
 * `nil` for one that is not ours. More than a thousand are never handed out together.
 */
export const readLease = `
local function handsOf(lease)
  local owner, first, count = string.match(lease, '^(.*):(%d+):(%d+)$')
  if owner and #first <= 15 and #count <= 3 then return owner, tonumber(first), tonumber(count) end
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
 * kept with its answer, a number too. Only one request is under way at a time, so the last one is enough.
 *
 * `known` is the answer of a request that was seen before, and `remember(answer)` keeps one. It is written down again when
 * it is answered again: WAIT waits for what this very connection has written.
 */
export const rememberNumber = `
local function remember(answer) redis.call('SET', memory, ARGV[1] .. ':' .. answer, 'PX', ARGV[2]) end
local known = nil
do
  local number, answer = string.match(redis.call('GET', memory) or '', '^(%d+):(%d+)$')
  if number == ARGV[1] then
    known = tonumber(answer)
    remember(known)
  elseif number and tonumber(ARGV[1]) < tonumber(number) then
    return redis.error_reply('NQSTALE a later request was executed before')
  end
end
`;

/**
 * `back`, how many hand-outs have a lease that has ended; `due`, how many delays have; and `exact`, 1 unless there are
 * more than 1,000 such leases and the rest was not looked at.
 */
export const countOver = `
local over = redis.call('ZRANGEBYSCORE', leases, '-inf', time, 'LIMIT', 0, 1000)
local back, exact = 0, #over < 1000 and 1 or 0
for _, lease in ipairs(over) do
  local owner, first, count = handsOf(lease)
  for hand = first or 0, (first or 0) + (count or 0) - 1 do
    local field = owner .. ':' .. string.format('%.0f', hand)
    if count == 1 or not redis.call('ZSCORE', leases, field .. ':1') then back = back + redis.call('HEXISTS', held, field) end
  end
end
local due = redis.call('ZCOUNT', delayed, '-inf', time)
`;
