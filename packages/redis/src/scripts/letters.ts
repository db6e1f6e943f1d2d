import { defineScript } from '../script.ts';
import { serverTime } from './lua-parts.ts';

/**
 * Replays or removes dead letters: those with the given ids, or the first so many.
 *
 * A dead letter is a line of JSON, its head, and the element as it was pushed. Replayed, it goes behind everything that is
 * ready, as if it were new, also where the queue is full: it was accepted before. Requests are numbered and the last one is
 * remembered, as for a push.
 *
 * - KEYS: ready, dead, memory of the requests
 * - ARGV: request number, how long the memory is kept in ms, `replay` or `remove`, how many at most where no ids follow,
 *   ids
 * - Answers how many were replayed or removed.
 */
export const lettersScript = defineScript(`
local ready, dead, memory = KEYS[1], KEYS[2], KEYS[3]
local request, keepMs, replays, max = ARGV[1], ARGV[2], ARGV[3] == 'replay', tonumber(ARGV[4])
${serverTime}
local last = redis.call('GET', memory)
if last then
  local number, count = string.match(last, '^(%d+):(%d+)$')
  if number == request then return tonumber(count) end
  if tonumber(request) < tonumber(number) then return redis.error_reply('NQSTALE a later request was executed before') end
end
-- The first write, which Redis allows when it is out of memory: only then may the others follow, and no letter takes more
-- room for having been moved.
redis.call('DEL', memory)
local time = string.format('%.0f', now())
local count = 0
local function use(letter)
  count = count + 1
  if not replays then return end
  local element = string.sub(letter, (string.find(letter, '\\n', 1, true) or 0) + 1)
  local rest = string.match(element, '^{"nqtime":%d+,(.*)$')
  redis.call('LPUSH', ready, rest and '{"nqtime":' .. time .. ',' .. rest or element)
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
      if read and type(head) == 'table' and wanted[head.id] then
        use(letter)
        redis.call('LSET', dead, from + place - 1, '')
      end
    end
  end
  if count > 0 then redis.call('LREM', dead, 0, '') end
end
redis.call('SET', memory, request .. ':' .. count, 'PX', keepMs)
return count
`);
