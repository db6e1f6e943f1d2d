import { defineScript, type Script } from '../script.ts';
import { batches, rememberAnswer, serverTime } from './lua-parts.ts';

/** Where a mode puts what is replayed, in Lua. */
export interface ReplayParts {
  /** Names of the keys that follow the common ones. */
  readonly keys: readonly string[];
  /** Defines `replay(element)`, which puts one behind everything that is ready. */
  readonly lua: string;
}

/** How many letters one script looks back at, at most. */
const lookedBack = 500;

/**
 * Replays or removes those dead letters of a page, from a place on, that have one of the given ids, or all of them. A page
 * has up to so many letters: looking through all of them would keep the server from others for seconds.
 *
 * A dead letter is a line of JSON, its head, and the element as it was pushed. Replayed, it goes behind everything that is
 * ready, as if it were new, also where the queue is full: it was accepted before. An id is compared as JSON has it, so that
 * nothing is parsed here. What somebody else has put there is known by its SHA-1.
 *
 * New letters come behind the others, so a page stays where it is unless somebody removes letters in front of it. Then the
 * last letter that was looked at and left is looked for in front of it, some at a time; if it is gone too, looking begins
 * anew. Only where others have put the same bytes there several times may one letter be taken for another.
 *
 * - KEYS: memory of the requests, dead, then those of the mode
 * - ARGV: request number, how long the memory is kept in ms, `replay` or `remove`, how many letters at most, the place of
 *   the first one, the SHA-1 of the one before it, then ids as JSON, or SHA-1s
 * - Answers `count place length before`: how many were replayed or removed, at which place the next page begins, how many
 *   letters there are now, and the SHA-1 of the one before that place. Nothing was looked at if the place is an earlier one.
 */
export function lettersScript({ keys, lua }: ReplayParts): Script {
  const names = ['memory', 'dead', ...keys];
  return defineScript(`
local ${names.join(', ')} = ${names.map((_name, index) => `KEYS[${index + 1}]`).join(', ')}
local replays, max, place, before = ARGV[3] == 'replay', tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
${serverTime}${rememberAnswer}${batches}${lua}
if known then return known end
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
  replay(rest and '{"nqtime":' .. time .. ',' .. rest or element)
end
-- The id in the head of a letter of ours, as JSON.
local function idOf(letter)
  local head = string.match(letter, '^{"id":([^\\n]*"deadAt":%d+})\\n')
  local stop = head and string.sub(head, 1, 1) == '"' and 1
  repeat
    stop = stop and string.find(head, '["\\\\]', stop + 1)
    if stop and string.sub(head, stop, stop) == '"' then
      return string.find(head, '^,"attempts":%d+,"reason":"', stop + 1) and string.sub(head, 1, stop)
    end
    stop = stop and stop + 1
  until not stop
end

local function answer()
  local reply = string.format('%d %d %d %s', count, place, redis.call('LLEN', dead), before)
  remember(reply)
  return reply
end

local last = place > 0 and redis.call('LRANGE', dead, place - 1, place - 1)[1]
if place > 0 and (not last or redis.sha1hex(last) ~= before) then
  place = math.min(place, redis.call('LLEN', dead))
  local passed, at = newBatch(${lookedBack}), 1
  fill(passed, function(from, count)
    local letters, turned = {}, {}
    if from < place then letters = redis.call('LRANGE', dead, math.max(0, place - from - count), place - from - 1) end
    for turn = #letters, 1, -1 do turned[#turned + 1] = letters[turn] end
    return turned
  end)
  while at <= #passed and redis.sha1hex(passed[at]) ~= before do at = at + 1 end
  place = place - (at - 1)
  if place > 0 and at > #passed then return answer() end
end

local letters = newBatch(max)
fill(letters, function(from, count) return redis.call('LRANGE', dead, place + from, place + from + count - 1) end)
if #ARGV == 6 then
  for _, letter in ipairs(letters) do use(letter) end
  if count > 0 then redis.call('LTRIM', dead, count, -1) end
else
  -- Nobody else has this one.
  local removed = '\\0removed ' .. memory .. ' ' .. ARGV[1]
  local wanted, byHash, left = {}, false, nil
  for at = 7, #ARGV do
    wanted[ARGV[at]] = true
    byHash = byHash or string.sub(ARGV[at], 1, 1) ~= '"'
  end
  for at, letter in ipairs(letters) do
    local id = idOf(letter)
    if id and wanted[id] or byHash and wanted[redis.sha1hex(letter)] then
      use(letter)
      redis.call('LSET', dead, place + at - 1, removed)
    else
      left = letter
    end
  end
  -- From the end that is nearer.
  if count > 0 then redis.call('LREM', dead, 2 * place > redis.call('LLEN', dead) and -count or count, removed) end
  place = place + #letters - count
  before = left and redis.sha1hex(left) or before
end
return answer()
`);
}
