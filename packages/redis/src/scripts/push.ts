import { defineScript } from '../script.ts';
import { inChunks } from './lua-parts.ts';

/**
 * Stores the first of some elements, as far as there is room: counting and storing are one step, so no producer ever
 * exceeds the capacity.
 *
 * ioredis sends a command again when its answer was lost, so each request has a number, and the number of the last one is
 * kept with its answer: a request that is seen twice is answered twice and done once. Only one request of a producer is
 * under way at a time, so the last one is enough. It is written down again when it is answered again: WAIT waits for what
 * this very connection has written.
 *
 * - KEYS: ready, staged, delayed, memory of the producer
 * - ARGV: capacity (0: no limit), request number, how long the memory is kept in ms, then the elements
 * - Answers how many are stored.
 */
export const pushScript = defineScript(`
local ready, staged, delayed, memory = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local capacity, request, keepMs = tonumber(ARGV[1]), ARGV[2], ARGV[3]
${inChunks}
local last = redis.call('GET', memory)
if last then
  local number, stored = string.match(last, '^(%d+):(%d+)$')
  if number == request then
    redis.call('SET', memory, last, 'PX', keepMs)
    return tonumber(stored)
  end
  if tonumber(request) < tonumber(number) then return redis.error_reply('NQSTALE a later request was executed before') end
end
local count = #ARGV - 3
if capacity > 0 then
  local room = capacity - redis.call('LLEN', ready) - redis.call('LLEN', staged) - redis.call('ZCARD', delayed)
  count = math.max(0, math.min(count, room))
end
if count > 0 then
  inChunks('LPUSH', ready, ARGV, 4, 3 + count)
  redis.call('SET', memory, request .. ':' .. count, 'PX', keepMs)
end
return count
`);
