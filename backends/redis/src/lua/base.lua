-- What every script begins with: the partition, the time, rows of runs, and small sorted indexes.

-- All keys of a partition begin with its tag, so all lie in one slot, and a script changes them together or not at all.
local TAG
-- What the call was told, the time, and what it has found and done so far: made anew by `begin`, for the functions stay.
local context, now, elapsed, alive_known, heard, named, thinned
-- Rows of runs by their tails, false where there is none; those to be written; and the last run of each workflow ID.
local rows, dirty, lasts

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

-- Begins a call, whatever the one before left behind; answers what is asked, unpacked, if it is one thing.
local function begin(keys, args)
  TAG = keys[1]
  context = cmsgpack.unpack(args[1])
  -- Times are decimal texts, for a number here is exact to 53 bits only. They are compared as numbers.
  now = context.now or server_time()
  elapsed = tonumber(context.elapsed or now)
  -- `heard` is what waiters are to hear of: w(ork), c(losings), a(nswers).
  alive_known, heard, named, thinned = {}, {}, {}, {}
  rows, dirty, lasts = {}, {}, {}
  return args[2] and cmsgpack.unpack(args[2])
end

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

-- Whether a worker is registered and its lease has not run out.
local function alive(worker)
  if alive_known[worker] == nil then
    local ends = redis.call('ZSCORE', TAG .. 'leases', worker)
    alive_known[worker] = ends and tonumber(ends) > elapsed or false
  end
  return alive_known[worker]
end

local function announce()
  local letters = (heard.w and 'w' or '') .. (heard.c and 'c' or '') .. (heard.a and 'a' or '')
  if letters ~= '' then
    redis.call('PUBLISH', context.channel, context.handle .. letters)
  end
  return letters
end

-- Indexes: a set of names, and under each a sorted set that is not empty once a call is over.

local function put(index, name, score, member)
  local sorted = index .. '/' .. name
  if redis.call('ZADD', sorted, score, member) == 1 and not named[sorted] then
    redis.call('SADD', index, name)
    named[sorted] = true
  end
end

local function drop(index, name, member)
  local sorted = index .. '/' .. name
  redis.call('ZREM', sorted, member)
  thinned[sorted] = { index, name }
end

-- Takes the names out under which nothing is left: once for a call, which may put there what it took away.
local function tidy()
  for sorted, names in pairs(thinned) do
    if redis.call('EXISTS', sorted) == 0 then
      redis.call('SREM', names[1], names[2])
    end
  end
end

local function count(ns, what, by)
  if by ~= 0 and redis.call('HINCRBY', TAG .. ns .. 'counts', what, by) == 0 then
    redis.call('HDEL', TAG .. ns .. 'counts', what)
  end
end
