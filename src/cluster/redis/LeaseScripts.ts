/**
 * The Lua scripts of the leases. Each runs atomically in Redis, and all of a
 * cluster's keys share one hash tag, so that they are together also in Redis Cluster.
 *
 * | key | holds |
 * |---|---|
 * | `wallet:{name}:locks` | hash: shard → `expiry order owner` |
 * | `wallet:{name}:runners` | hash: address → JSON, made by `runnerEntry` |
 * | `wallet:{name}:machines` | hash: address → `id time` |
 * | `wallet:{name}:clock` | hash: `real`, `now`; milliseconds |
 *
 * One hash for all locks, not a key for each: a refresh is one command that reads and
 * writes a thousand fields by two calls, and nothing has to be counted or scanned.
 *
 * **Time** is the cluster's own clock, kept here from the server's `TIME`, and it stands
 * still while nobody is served. Live runners are heard every third of a lease; a gap of
 * more than half a lease means that Redis was away (frozen, restarting, unreachable), or
 * that its own clock was moved. Had leases run on through that, the first runner back
 * would find all others dead and take everything. So such a gap counts for a sixth
 * of a lease: who was alive before it has two more refreshes' time; and because it
 * counts for something, the leases of the dead end however rarely anybody asks.
 *
 * **Order** numbers the commands of one owner. A command that timed out at its sender may
 * be run later, after newer ones over a newer connection: a late release must
 * not take away what was acquired since.
 */
import { createHash } from "node:crypto"

export interface RedisScript {
  readonly name: string
  readonly lua: string
  readonly sha: string
}

/** Fields of one call: Lua cannot unpack more than some 8,000 values. */
const chunk = 1_000

/** Machine ids are ten bits of a snowflake. */
const machineIds = 1_024

const prelude = `
local function text(number)
  return string.format('%.0f', number)
end

local function clock(key, lease)
  local time = redis.call('TIME')
  local real = time[1] * 1000 + math.floor(time[2] / 1000)
  local before = redis.call('HMGET', key, 'real', 'now')
  local now = real
  if before[1] and before[2] then
    local gap = real - before[1]
    if gap < 0 or gap > lease / 2 then gap = math.floor(lease / 6) end
    now = before[2] + gap
  end
  redis.call('HSET', key, 'real', text(real), 'now', text(now))
  return now
end

local function lock(value)
  if not value then return nil end
  local expiry, order, owner = string.match(value, '^(%d+) (%d+) (.*)$')
  return tonumber(expiry), tonumber(order), owner
end

-- Calls visit(shard, value) for each shard named in ARGV from first on; writes what it returns.
local function eachLock(first, visit)
  for from = first, #ARGV, ${chunk} do
    local upto = math.min(from + ${chunk} - 1, #ARGV)
    local found = redis.call('HMGET', KEYS[1], unpack(ARGV, from, upto))
    local write = {}
    for i = 1, #found do
      local value = visit(ARGV[from + i - 1], found[i])
      if value then
        write[#write + 1] = ARGV[from + i - 1]
        write[#write + 1] = value
      end
    end
    if #write > 0 then redis.call('HSET', KEYS[1], unpack(write)) end
  end
end

local function removeLocks(shards)
  for from = 1, #shards, ${chunk} do
    redis.call('HDEL', KEYS[1], unpack(shards, from, math.min(from + ${chunk} - 1, #shards)))
  end
end

local function runnerOf(value)
  return value and cjson.decode(value)
end

local function runnerEntry(expiry, healthy, owner, runner)
  return cjson.encode({ expiry = expiry, healthy = healthy, owner = owner, runner = runner })
end
`

const script = (name: string, body: string): RedisScript => {
  const lua = `${prelude}${body}`
  return { name, lua, sha: createHash("sha1").update(lua).digest("hex") }
}

/** Takes what is free, run out, or already the owner's. Answers the shards that are now the owner's. */
export const acquire = script(
  "acquire",
  `
local lease, owner, order = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local now = clock(KEYS[2], lease)
local taken = {}
eachLock(4, function(shard, value)
  local expiry, held, holder = lock(value)
  if expiry and expiry > now and holder ~= owner then return nil end
  taken[#taken + 1] = shard
  local latest = holder == owner and math.max(held, order) or order
  return text(now + lease) .. ' ' .. text(latest) .. ' ' .. owner
end)
return taken
`
)

/**
 * Extends what is still in the owner's name, and the runner's own registration. Answers
 * the shards that are not, and whether another live process has the runner's address.
 *
 * A lease that has run out and that nobody has taken is extended: there was no other owner
 * in between. One that is not there is never made: whoever had it since has to be
 * assumed to exist.
 */
export const refresh = script(
  "refresh",
  `
local lease, owner, address, runner, healthy = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = clock(KEYS[2], lease)
local lost = {}
eachLock(6, function(shard, value)
  local expiry, order, holder = lock(value)
  if holder == owner then return text(now + lease) .. ' ' .. text(order) .. ' ' .. owner end
  lost[#lost + 1] = shard
  return nil
end)
local conflict = 0
if runner ~= '' then
  local known = runnerOf(redis.call('HGET', KEYS[3], address))
  if known and known.owner ~= owner and known.expiry > now then
    conflict = 1
  else
    redis.call('HSET', KEYS[3], address, runnerEntry(now + lease, known and known.healthy or healthy, owner, runner))
  end
end
return { conflict, lost }
`
)

/** Gives back shards that are the owner's since before this command. */
export const release = script(
  "release",
  `
local owner, order = ARGV[1], tonumber(ARGV[2])
local mine = {}
eachLock(3, function(shard, value)
  local _, held, holder = lock(value)
  if holder == owner and held < order then mine[#mine + 1] = shard end
  return nil
end)
removeLocks(mine)
return #mine
`
)

export const releaseAll = script(
  "releaseAll",
  `
local owner, order = ARGV[1], tonumber(ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
local mine = {}
for i = 1, #all, 2 do
  local _, held, holder = lock(all[i + 1])
  if holder == owner and held < order then mine[#mine + 1] = all[i] end
end
removeLocks(mine)
return #mine
`
)

/**
 * Makes the runner known, drops those that are gone, and answers the address's machine id:
 * the one it had before, else the lowest free one, else that of the address that
 * registered the longest ago. So there are never more than ${machineIds} addresses on record.
 */
export const register = script(
  "register",
  `
local lease, owner, address, runner, healthy = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = clock(KEYS[2], lease)
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if runnerOf(all[i + 1]).expiry <= now then redis.call('HDEL', KEYS[1], all[i]) end
end
redis.call('HSET', KEYS[1], address, runnerEntry(now + lease, healthy, owner, runner))

local known = redis.call('HGET', KEYS[3], address)
local id = known and tonumber(string.match(known, '^(%d+) '))
if not id then
  local used, oldest, oldestTime, oldestId = {}, nil, nil, nil
  local machines = redis.call('HGETALL', KEYS[3])
  for i = 1, #machines, 2 do
    local number, time = string.match(machines[i + 1], '^(%d+) (%d+)$')
    used[tonumber(number)] = true
    local live = redis.call('HEXISTS', KEYS[1], machines[i]) == 1
    if not live and (not oldestTime or tonumber(time) < oldestTime) then
      oldest, oldestTime, oldestId = machines[i], tonumber(time), tonumber(number)
    end
  end
  for number = 0, ${machineIds - 1} do
    if not used[number] then id = number break end
  end
  if not id then
    if not oldest then return redis.error_reply('NOMACHINE more than ${machineIds} runners are alive') end
    redis.call('HDEL', KEYS[3], oldest)
    id = oldestId
  end
end
redis.call('HSET', KEYS[3], address, id .. ' ' .. text(now))
return id
`
)

/** Forgets the runner, if this owner registered it. Its locks stay. */
export const unregister = script(
  "unregister",
  `
local known = runnerOf(redis.call('HGET', KEYS[1], ARGV[2]))
if not known or known.owner ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[2])
`
)

/** The runners heard of within a lease: runner, healthy, runner, healthy, … */
export const runners = script(
  "runners",
  `
local now = clock(KEYS[2], tonumber(ARGV[1]))
local all = redis.call('HGETALL', KEYS[1])
local live = {}
for i = 1, #all, 2 do
  local known = runnerOf(all[i + 1])
  if known.expiry > now then
    live[#live + 1] = known.runner
    live[#live + 1] = known.healthy
  end
end
return live
`
)

/** The same with who they are: runner, healthy, owner, leases; … */
export const members = script(
  "members",
  `
local now = clock(KEYS[2], tonumber(ARGV[1]))
local leases = {}
local locks = redis.call('HVALS', KEYS[3])
for i = 1, #locks do
  local expiry, _, owner = lock(locks[i])
  if expiry > now then leases[owner] = (leases[owner] or 0) + 1 end
end
local all = redis.call('HGETALL', KEYS[1])
local live = {}
for i = 1, #all, 2 do
  local known = runnerOf(all[i + 1])
  if known.expiry > now then
    live[#live + 1] = known.runner
    live[#live + 1] = known.healthy
    live[#live + 1] = known.owner
    live[#live + 1] = leases[known.owner] or 0
  end
end
return live
`
)

export const setHealth = script(
  "setHealth",
  `
local known = runnerOf(redis.call('HGET', KEYS[1], ARGV[1]))
if not known then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], runnerEntry(known.expiry, tonumber(ARGV[2]), known.owner, known.runner))
return 1
`
)
