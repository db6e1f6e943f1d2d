import { defineScript } from '../script.ts';
import { consumeScript, mostInAnswer } from './consume.ts';
import { lettersScript } from './letters.ts';
import { countLeases, inChunks, leaseNames, rememberAnswer, serverTime } from './lua-parts.ts';

/**
 * Stores the first of some elements in a list, as far as there is room: counting and storing are one step, so no producer
 * ever exceeds the capacity.
 *
 * - KEYS: memory of the producer, ready, staged, delayed
 * - ARGV: request number, how long the memory is kept in ms, capacity (0: no limit), then the elements
 * - Answers how many are stored.
 */
export const listPush = defineScript(`
local memory, ready, staged, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local capacity = tonumber(ARGV[3])
${inChunks}${rememberAnswer}
if known then return known end
local count = #ARGV - 3
if capacity > 0 then
  local room = capacity - redis.call('LLEN', ready) - redis.call('LLEN', staged) - redis.call('ZCARD', delayed)
  count = math.max(0, math.min(count, room))
end
if count > 0 then
  inChunks('LPUSH', ready, ARGV, 4, 3 + count)
  remember(count)
end
return count
`);

/** After how many claims a copy is tried again, when one was too large or could not be made. */
const claimsUncopied = 100;

/**
 * What a consumer asks of a list. A record is an element.
 *
 * Lua makes a string of each element that it reads, and since Redis 7.0 it hashes every byte of that: some 0.4 µs for 300
 * bytes, as much as everything else that is done for one. So what is taken is copied by SORT, which with `BY nosort` copies
 * a part of a list as it is. It asks nothing about sizes, and what it has copied is in memory until it is found to be too
 * much: so eight elements are looked at before, the copy afterwards, and after a copy in vain the next claims try none.
 */
export const listConsume = consumeScript({
  keys: ['ready', 'staged'],
  lua: `
local function elementOf(record) return record end
local counted = handedOut
local function giveBack(records)
  -- What has woken somebody is younger, and is taken first from its own place.
  for _ = 1, #records > 0 and redis.call('LLEN', staged) or 0 do redis.call('LMOVE', staged, ready, 'LEFT', 'RIGHT') end
  -- To the end from which is taken, so the first one last.
  local reversed = {}
  for place = #records, 1, -1 do reversed[#reversed + 1] = records[place] end
  inChunks('RPUSH', ready, reversed, 1, #reversed)
end
local function copyOldest(max, startLease)
  local count = math.min(max, redis.call('LLEN', ready))
  -- Few are in the answer, and so in Lua, anyway.
  if count <= ${mostInAnswer} or redis.call('LLEN', staged) > 0 then return 0 end
  if uncopied > 0 then
    uncopied = uncopied - 1
    return 0
  end
  -- At odd and even places, for two kinds may take turns.
  for part = 1, 8 do
    if #redis.call('LINDEX', ready, part - 1 - math.floor(count * part / 8)) * count > mostBytes then return 0 end
  end
  local list = startLease(count)
  -- Who may not do this, or may not see how large it is, has it done without.
  if redis.pcall('SORT', ready, 'BY', 'nosort', 'DESC', 'LIMIT', 0, count, 'STORE', list) == count then
    local size = redis.pcall('MEMORY', 'USAGE', list, 'SAMPLES', 0)
    if type(size) == 'number' and size <= 2 * mostBytes then return count end
  end
  redis.call('DEL', list)
  uncopied = ${claimsUncopied}
  return 0
end
local function take(max, startLease)
  local fromStaged, fromReady = 0, copyOldest(max, startLease)
  local batch = newBatch(max)
  if fromReady == 0 then
    local function fillFrom(key)
      return fill(batch, function(from, count)
        local elements = redis.call('LRANGE', key, -from - count, -from - 1)
        -- The youngest comes first there.
        local left, right = 1, #elements
        while left < right do
          elements[left], elements[right] = elements[right], elements[left]
          left, right = left + 1, right - 1
        end
        return elements
      end)
    end
    fromStaged = redis.call('LLEN', staged) > 0 and fillFrom(staged) or 0
    fromReady = fillFrom(ready)
    if #batch > 0 then inChunks('RPUSH', startLease(#batch), batch, 1, #batch) end
  end
  if fromStaged > 0 then redis.call('LTRIM', staged, 0, -1 - fromStaged) end
  if fromReady > 0 then redis.call('LTRIM', ready, 0, -1 - fromReady) end
  return fromStaged + fromReady
end
`,
});

/**
 * Counts what a list holds, as a pop would find it: what is over counts as ready, although nobody has given it back yet.
 * Writes nothing.
 *
 * - KEYS: what the keys of lists that are held begin with, leases, delayed, ready, staged
 * - Answers: ready, in flight, delayed, whether that is exact, the time of the server, and how the oldest ready element
 *   begins, or ''.
 */
export const listSize = defineScript(`
local held, leases, delayed, ready, staged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
${serverTime}${leaseNames}
local time = now()
${countLeases}
local oldest = redis.call('LINDEX', staged, -1) or redis.call('LINDEX', ready, -1) or ''
return {
  redis.call('LLEN', ready) + redis.call('LLEN', staged) + due + back,
  inFlight,
  redis.call('ZCARD', delayed) - due,
  exact,
  time,
  string.sub(oldest, 1, 100),
}
`);

/** Dead letters of a list: those that are replayed go to the end to which is pushed. KEYS that follow: ready. */
export const listLetters = lettersScript({
  keys: ['ready'],
  lua: `
local function replay(element) redis.call('LPUSH', ready, element) end
`,
});
