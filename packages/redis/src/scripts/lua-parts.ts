/**
 * Parts of the scripts, in Lua 5.1 as Redis 6.2 and later run it. They end in a newline and declare local functions.
 *
 * @module
 */

/** `now()`: the time of the server in milliseconds since the Unix epoch. No clock of a client is ever compared. */
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
