-- What every script begins with: the partition, the time, rows of runs, and small sorted indexes.

-- All keys of a partition begin with its tag, so all lie in one slot, and a script changes them together or not at all.
local TAG = KEYS[1]
local context = cmsgpack.unpack(ARGV[1])
local DAY = 86400000000
-- Before every time there is: what a dead worker left is due, whichever way the clock jumps.
local AT_ONCE = '-1e19'

local function int(number)
  return string.format('%.0f', number)
end

local function server_time()
  local time = redis.call('TIME')
  return time[1] .. string.format('%06d', time[2])
end

-- Times are decimal texts, for a number here is exact to 53 bits only. They are compared as numbers.
local now = context.now or server_time()
local elapsed = tonumber(context.elapsed or now)

local function earlier(one, other)
  return tonumber(one) < tonumber(other)
end

-- A namespace is written "<length>/<name>/", a run in it is its ID in hex and its workflow ID: the run's tail.
local function key(ns, what, tail)
  return TAG .. ns .. what .. '/' .. tail
end

-- Parts a reference to a run (or to a task) in any namespace.
local function split(ref)
  local digits = string.match(ref, '^(%d+)/')
  local length = #digits + 1 + tonumber(digits) + 1
  return string.sub(ref, 1, length), string.sub(ref, length + 1)
end

local function worker_key(worker, what)
  return TAG .. 'worker/' .. worker .. '/' .. what
end

local alive_known = {}

-- Whether a worker is registered and its lease has not run out.
local function alive(worker)
  if alive_known[worker] == nil then
    local ends = redis.call('ZSCORE', TAG .. 'leases', worker)
    alive_known[worker] = ends and tonumber(ends) > elapsed or false
  end
  return alive_known[worker]
end

-- What waiters are to hear of: w(ork), c(losings), a(nswers).
local heard = {}

local function announce()
  local letters = (heard.w and 'w' or '') .. (heard.c and 'c' or '') .. (heard.a and 'a' or '')
  if letters ~= '' then
    redis.call('PUBLISH', context.channel, context.handle .. letters)
  end
  return letters
end

-- Indexes: a set of names, and under each a sorted set that is never empty.

local function put(index, name, score, member)
  if redis.call('ZADD', index .. '/' .. name, score, member) == 1 then
    redis.call('SADD', index, name)
  end
end

local function drop(index, name, member)
  redis.call('ZREM', index .. '/' .. name, member)
  if redis.call('EXISTS', index .. '/' .. name) == 0 then
    redis.call('SREM', index, name)
  end
end

local function count(ns, what, by)
  if by ~= 0 and redis.call('HINCRBY', TAG .. ns .. 'counts', what, by) == 0 then
    redis.call('HDEL', TAG .. ns .. 'counts', what)
  end
end
