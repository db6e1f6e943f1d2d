import { defineScript, type Script } from '../script.ts';
import { rememberNumber, serverTime } from './lua-parts.ts';

/** Where a mode puts what is replayed, in Lua. */
export interface ReplayParts {
  /** Names of the keys that follow the common ones. */
  readonly keys: readonly string[];
  /** Defines `replay(element)`, which puts one behind everything that is ready. */
  readonly lua: string;
}

/**
 * Replays or removes dead letters: those with the given ids, or the first so many.
 *
 * A dead letter is a line of JSON, its head, and the element as it was pushed. Replayed, it goes behind everything that is
 * ready, as if it were new, also where the queue is full: it was accepted before. What somebody else has put there is known
 * by its SHA-1.
 *
 * - KEYS: memory of the requests, dead, then those of the mode
 * - ARGV: request number, how long the memory is kept in ms, `replay` or `remove`, how many at most where no ids follow,
 *   ids
 * - Answers how many were replayed or removed.
 */
export function lettersScript({ keys, lua }: ReplayParts): Script {
  const names = ['memory', 'dead', ...keys];
  return defineScript(`
local ${names.join(', ')} = ${names.map((_name, index) => `KEYS[${index + 1}]`).join(', ')}
local replays, max = ARGV[3] == 'replay', tonumber(ARGV[4])
${serverTime}${rememberNumber}${lua}
if known then return known end
-- The first write, which Redis allows when it is out of memory: only then may the others follow, and no letter takes more
-- room for having been moved.
redis.call('DEL', memory)
local time = string.format('%.0f', now())
-- As who lists them tells them apart.
local function isHead(head)
  if type(head) ~= 'table' or type(head.id) ~= 'string' or type(head.reason) ~= 'string' then return false end
  local attempts, deadAt = head.attempts, head.deadAt
  if type(attempts) ~= 'number' or type(deadAt) ~= 'number' or math.abs(deadAt) >= math.huge then return false end
  return deadAt == deadAt and attempts % 1 == 0 and math.abs(attempts) < 2 ^ 53
end
local count = 0
local function use(letter)
  count = count + 1
  if not replays then return end
  local element = string.sub(letter, (string.find(letter, '\\n', 1, true) or 0) + 1)
  local rest = string.match(element, '^{"nqtime":%d+,(.*)$')
  replay(rest and '{"nqtime":' .. time .. ',' .. rest or element)
end

if #ARGV == 4 then
  local letters = redis.call('LRANGE', dead, 0, max - 1)
  for _, letter in ipairs(letters) do use(letter) end
  if #letters > 0 then redis.call('LTRIM', dead, #letters, -1) end
else
  local wanted = {}
  for at = 5, #ARGV do wanted[ARGV[at]] = true end
  local length = redis.call('LLEN', dead)
  for from = 0, length - 1, 200 do
    for place, letter in ipairs(redis.call('LRANGE', dead, from, from + 199)) do
      local line = string.find(letter, '\\n', 1, true)
      local read, head = pcall(cjson.decode, string.sub(letter, 1, (line or 1) - 1))
      if wanted[read and isHead(head) and head.id or redis.sha1hex(letter)] then
        use(letter)
        redis.call('LSET', dead, from + place - 1, '')
      end
    end
  end
  if count > 0 then redis.call('LREM', dead, 0, '') end
end
remember(count)
return count
`);
}
