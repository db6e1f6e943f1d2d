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
  local owner, from, count = string.match(lease, '^(.*):(%d+):(%d+)$')
  for hand = tonumber(from), from + count - 1 do
    local field = owner .. ':' .. string.format('%.0f', hand)
    if count == '1' or not redis.call('ZSCORE', leases, field .. ':1') then back = back + redis.call('HEXISTS', held, field) end
  end
end
local due = redis.call('ZCOUNT', delayed, '-inf', time)
`;
