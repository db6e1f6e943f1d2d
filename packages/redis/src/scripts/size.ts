import { defineScript } from '../script.ts';
import { serverTime } from './lua-parts.ts';

/**
 * Counts what the queue holds, as a pop would find it: what is over counts as ready, although nobody has given it back yet.
 * Writes nothing. Looks at up to 1,000 leases that have ended; if there are more, the numbers are not exact.
 *
 * - KEYS: ready, staged, held, leases, delayed
 * - Answers: ready, in flight, delayed, whether that is exact, the time of the server, and the oldest ready element or ''.
 */
export const sizeScript = defineScript(`
local ready, staged, held, leases, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
${serverTime}
local time = now()
local over = redis.call('ZRANGEBYSCORE', leases, '-inf', time, 'LIMIT', 0, 1000)
local back = 0
for _, lease in ipairs(over) do
  local owner, from, count = string.match(lease, '^(.*):(%d+):(%d+)$')
  for tag = tonumber(from), from + count - 1 do
    local field = owner .. ':' .. string.format('%.0f', tag)
    -- One that was renewed has a lease of its own, which is looked at by itself.
    if count == '1' or not redis.call('ZSCORE', leases, field .. ':1') then back = back + redis.call('HEXISTS', held, field) end
  end
end
local due = redis.call('ZCOUNT', delayed, '-inf', time)
local oldest = redis.call('LINDEX', staged, -1) or redis.call('LINDEX', ready, -1) or ''
return {
  redis.call('LLEN', ready) + redis.call('LLEN', staged) + due + back,
  redis.call('HLEN', held) - back,
  redis.call('ZCARD', delayed) - due,
  #over < 1000 and 1 or 0,
  time,
  string.sub(oldest, 1, 100),
}
`);
