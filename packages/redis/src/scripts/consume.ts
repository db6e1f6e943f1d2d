import { defineScript, type Script } from '../script.ts';
import { batches, countHandOut, inChunks, leaseNames, serverTime, settle } from './lua-parts.ts';

/**
 * How a mode keeps what is ready, in Lua. What is held, delayed or given back is a record: an element, and perhaps where
 * it belongs.
 */
export interface ReadyParts {
  /** Names of the keys that follow the common ones. */
  readonly keys: readonly string[];
  /**
   * Defines `elementOf(record)`; `counted(record)`, the record with one more hand-out; `giveBack(records, names)`, which
   * makes records ready again that are in the order in which they are to be taken, each with a name that no other has, and
   * that is in the order in which they were taken; and `take(max, startLease)`, which moves up to `max` records, the oldest
   * first, into the list whose key `startLease(count)` answers, and answers how many it has moved. It calls that before any
   * of them can be lost, and again if there are to be more or fewer.
   *
   * `uncopied` is a number that the consumer keeps from one request to the next, 0 at first: for how many more of them
   * `take` is not to try a copy.
   */
  readonly lua: string;
}

/**
 * Whoever asks for so many at most finds them in the answer. More are read from their list, by a command of its own behind
 * the script: that costs less for many than to take them through Lua, and more for few than to ask once.
 */
export const mostInAnswer = 15;

/** The keys of the script that every mode has, in their order. */
const consumeKeys = ['held', 'leases', 'delayed', 'dead', 'memory'] as const;

/**
 * Everything that a consumer asks for, in one step: it acknowledges, gives back, renews, and takes.
 *
 * What is handed out together is one list, whose key is `held`, the consumer and the number of the first hand-out; such a
 * number is never used again, so whoever comes too late finds no list, and touches nothing else. A list stays whole until
 * all of it is settled, for it forgets nothing in its middle: a set beside it holds the places that are settled. Until then, what is
 * acknowledged stays in memory. Each list has a member of `leases`, `<consumer>:<first>:<count>`, with the moment at which
 * the lease ends; a place that is renewed has a member of its own, with its number behind, which then counts for it.
 * Whoever takes also gives back what is over: leases that have ended, and delays.
 *
 * Requests are numbered and the last one is remembered, as for a push. When it is seen again, what was taken is still in
 * its list: without that, what an answer that was lost had handed out would be away until its lease ends. If the memory is
 * gone meanwhile, that is what happens: nothing is put in the place of what is held. What a rewind has taken back meanwhile
 * is there still, as for whoever got it before that: its lease is lost.
 *
 * The first write is one that Redis allows when it is out of memory (ZREM): only then may the others follow, and a full
 * server can be emptied. What is moved is stored before it is forgotten, for a script that fails half-way is not undone.
 *
 * - KEYS: those of `consumeKeys`, of which `held` is what the keys of lists begin with, then those of the mode
 * - ARGV: consumer, request number, how long the memory is kept in ms, lease in ms, how many to take at most, number of the
 *   first hand-out, whether to look for what is over, then how many of each follow: members of `leases` of places that are
 *   settled, lists of which something is acknowledged, returns, renewals; then these: the members; (first, count, how many,
 *   their places), or (first, count, 0) for all places in their order; (first, count, place, delay in ms, or -1 for what
 *   nobody was given, head of the dead letter or ''); (first, count, place, ms)
 * - Answers: which settlements and renewals found nothing, by their number, from 1; in how many ms something will be over
 *   (-1: nothing will); the records that were taken, if no more than {@link mostInAnswer} were asked for and they are still
 *   there, and otherwise how many; and, if something behind the acknowledgements has failed, why, and how many of the
 *   settlements and renewals were done before: what was taken by then waits for its lease
 */
export function consumeScript({ keys, lua }: ReadyParts): Script {
  const names = [...consumeKeys, ...keys];
  return defineScript(`
local ${names.join(', ')} = ${names.map((_name, index) => `KEYS[${index + 1}]`).join(', ')}
local consumer, request, keepMs, leaseMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local max, first, tends = tonumber(ARGV[5]), ARGV[6], ARGV[7] == '1'
local ended, acks, returns, renewals = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
${serverTime}${inChunks}${batches}${leaseNames}${settle}${countHandOut}local uncopied = 0
${lua}
local list = held .. consumer .. ':' .. first
local function answer(late, nextMs, taken)
  local records = taken > 0 and max <= ${mostInAnswer} and redis.call('LRANGE', list, 0, -1)
  return {late, nextMs, records and #records == taken and records or taken}
end

do
  local number, taken, left, late = string.match(redis.call('GET', memory) or '', '^(%d+):(%d+):(%d+):(.*)$')
  uncopied = tonumber(left) or 0
  if number == request then return answer(late, 0, tonumber(taken)) end
  if number and tonumber(request) < tonumber(number) then
    return redis.error_reply('NQSTALE a later request was executed before')
  end
end
if max > 0 and redis.call('EXISTS', list) == 1 then
  return redis.error_reply('NQFORGOTTEN the request was executed before')
end

redis.call('ZREM', leases, '')
local at, call, late = 12 + ended, 0, {}

for _ = 1, acks do
  local name, count, many = consumer .. ':' .. ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  local places = {}
  for turn = 1, many == 0 and count or many do places[turn] = many == 0 and turn - 1 or ARGV[at + turn - 1] end
  -- The list counts twice, so that all is told by one call.
  local there = redis.call('EXISTS', held .. name, held .. name, settledOf(name))
  call = call + #places
  if there ~= 2 then
    -- Without a list, nothing is held; without a set beside it, nothing of it is settled. No list has more than 256 places,
    -- which is what core asks for: \`unpack\` can do with many more.
    local was, open = there == 3 and redis.call('SMISMEMBER', settledOf(name), unpack(places)) or {}, {}
    for turn, place in ipairs(places) do
      if was[turn] == 0 then open[#open + 1] = place else late[#late + 1] = call - #places + turn end
    end
    places = open
  end
  settle(name, count, places, many == 0)
  at = at + many
end

local time = now()
-- Only what is written is noted to be settled, for that is done also if the rest fails.
local function returnAll(back, names, sources)
  giveBack(back, names)
  for _, source in ipairs(sources) do settleLater(source[1], source[2], source[3]) end
  settleThem()
end

local answered, calls = call, call + returns + renewals
local function returnAndRenew()
  local back, names, sources, isReturned = {}, {}, {}, {}
  for _ = 1, returns do
    local name, count, place = consumer .. ':' .. ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
    local delayMs, head = tonumber(ARGV[at + 3]), ARGV[at + 4]
    at, call = at + 5, call + 1
    -- Who gives back what is on its way back already finds nothing.
    local record = not isReturned[name .. ':' .. place] and recordAt(name, place)
    if not record then late[#late + 1] = call
    else
      isReturned[name .. ':' .. place] = true
      if head ~= '' then
        redis.call('RPUSH', dead, head .. '\\n' .. asPushed(elementOf(record)))
        settleLater(name, count, place)
      elseif delayMs > 0 then
        -- Two records may be the same, but not two members: each is told apart by its hand-out.
        redis.call('ZADD', delayed, time + delayMs, nameOf(name, place) .. ' ' .. counted(record))
        settleLater(name, count, place)
      else
        back[#back + 1] = delayMs < 0 and record or counted(record)
        names[#names + 1] = nameOf(name, place)
        sources[#sources + 1] = {name, count, place}
      end
    end
  end
  returnAll(back, names, sources)

  for _ = 1, renewals do
    local name, count, place, ms = consumer .. ':' .. ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    at, call = at + 4, call + 1
    if isHeld(name, place) then
      redis.call('ZADD', leases, time + ms, leaseOf(name, count, count ~= '1' and place))
    else late[#late + 1] = call end
  end

  -- Last, so that what could not be settled is found again when its lease ends.
  inChunks('ZREM', leases, ARGV, 12, 11 + ended)
  answered = calls
end

local function lookAndTake()
  local overdue = false
  if tends then
    local over, looked = redis.call('ZRANGEBYSCORE', leases, '-inf', time, 'LIMIT', 0, 64), 0
    local back, names, sources = newBatch(1000), {}, {}
    while looked < #over and not isFull(back) do
      looked = looked + 1
      local name, count, places = openOf(over[looked])
      for _, place in ipairs(places) do
        names[#names + 1] = nameOf(name, place)
        add(back, counted(redis.call('LINDEX', held .. name, place)))
        sources[#sources + 1] = {name, count, place}
      end
    end
    returnAll(back, names, sources)
    inChunks('ZREM', leases, over, 1, looked)
    local due = newBatch(256)
    fill(due, function(from, count)
      return redis.call('ZRANGEBYSCORE', delayed, '-inf', time, 'LIMIT', from, count)
    end)
    back, names = {}, {}
    for turn, member in ipairs(due) do
      local space = string.find(member, ' ', 1, true) or 0
      names[turn], back[turn] = string.sub(member, 1, math.max(0, space - 1)), string.sub(member, space + 1)
    end
    giveBack(back, names)
    inChunks('ZREM', delayed, due, 1, #due)
    overdue = looked == 64 or looked < #over or isFull(due)
  end

  -- The lease first: what has none would be held for ever.
  local lease
  local function startLease(count)
    if lease then redis.call('ZREM', leases, lease) end
    lease = leaseOf(consumer .. ':' .. first, count)
    redis.call('ZADD', leases, time + leaseMs, lease)
    return list
  end
  local taken = max > 0 and take(max, startLease) or 0

  local nextMs = -1
  if overdue then nextMs = 0
  elseif max > 0 and taken == 0 then
    for _, key in ipairs({leases, delayed}) do
      local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
      if head[2] then
        local ms = math.max(0, tonumber(head[2]) - time)
        if nextMs < 0 or ms < nextMs then nextMs = ms end
      end
    end
  end
  return taken, nextMs
end

-- The acknowledgements are done, and so may be what follows them: what fails now is not theirs.
local hasTaken, taken, nextMs = pcall(function()
  returnAndRenew()
  return lookAndTake()
end)
local failure = not hasTaken and (type(taken) == 'table' and taken.err or tostring(taken))
if failure then
  taken, nextMs = 0, -1
  pcall(settleThem)
  -- Who is answered from memory is not to take them for done.
  for number = answered + 1, calls do late[#late + 1] = number end
end
late = table.concat(late, ',')
redis.call('SET', memory, table.concat({request, taken, uncopied, late}, ':'), 'PX', keepMs)
local reply = answer(late, nextMs, taken)
-- Redis 6 puts the place in the script in front.
if failure then reply[4], reply[5] = string.gsub(failure, '^@user_script: ?%d+: ?%-?', ''), answered end
return reply
`);
}
