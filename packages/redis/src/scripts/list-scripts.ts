import { defineScript } from '../script.ts';
import { consumeScript } from './consume.ts';
import { lettersScript } from './letters.ts';
import { countOver, inChunks, readLease, rememberNumber, serverTime } from './lua-parts.ts';

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
${inChunks}${rememberNumber}
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

/** What a consumer asks of a list. A record is an element. */
export const listConsume = consumeScript({
  keys: ['ready', 'staged'],
  lua: `
local leasesTell = true
local function elementOf(record) return record end
local function elementsOf(records) return records end
local counted = handedOut
local function giveBack(records)
  -- What has woken somebody is younger, and is taken first from its own place.
  for _ = 1, #records > 0 and redis.call('LLEN', staged) or 0 do redis.call('LMOVE', staged, ready, 'LEFT', 'RIGHT') end
  -- To the end from which is taken, so the first one last.
  local reversed = {}
  for place = #records, 1, -1 do reversed[#reversed + 1] = records[place] end
  inChunks('RPUSH', ready, reversed, 1, #reversed)
end
local function take(batch, hold)
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
  local fromStaged = redis.call('LLEN', staged) > 0 and fillFrom(staged) or 0
  local fromReady = fillFrom(ready)
  hold(batch)
  if fromStaged > 0 then redis.call('LTRIM', staged, 0, -1 - fromStaged) end
  if fromReady > 0 then redis.call('LTRIM', ready, 0, -1 - fromReady) end
end
`,
});

/**
 * Counts what a list holds, as a pop would find it: what is over counts as ready, although nobody has given it back yet.
 * Writes nothing.
 *
 * - KEYS: held, leases, delayed, ready, staged
 * - Answers: ready, in flight, delayed, whether that is exact, the time of the server, and how the oldest ready element
 *   begins, or ''.
 */
export const listSize = defineScript(`
local held, leases, delayed, ready, staged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
${serverTime}${readLease}
local time = now()
${countOver}
local oldest = redis.call('LINDEX', staged, -1) or redis.call('LINDEX', ready, -1) or ''
return {
  redis.call('LLEN', ready) + redis.call('LLEN', staged) + due + back,
  redis.call('HLEN', held) - back,
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
