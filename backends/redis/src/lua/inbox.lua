-- Inboxes: a list whose last element has the position `last`. An element is "<1 if the outcome of an activity><request ID><time>/<body>".

local function inbox_of(run)
  return key(run.ns, 'inbox', run.tail)
end

local function push(run, element)
  redis.call('RPUSH', inbox_of(run), element)
  set(run, 'last', int(tonumber(run.last) + 1))
  count(run.ns, 'messages', 1)
end

local function time_of(element)
  return string.match(element, '^(%-?%d+)/', 34)
end

-- Whether the holder still sees what comes: the door's position while it is shut, and whether the run continues.
local function door_of(run)
  if not run.door then
    return nil
  end
  return tonumber(string.sub(run.door, 2)), string.sub(run.door, 1, 1) == 'c'
end

local function is_closing(run)
  local shut, continues = door_of(run)
  return shut and not continues
end

-- The last position that is for this run.
local function inbox_end(run)
  return door_of(run) or tonumber(run.last)
end

-- Puts what lies in the inbox of an open run before whoever holds it, or whoever claims it.
local function deliver(run, element)
  push(run, element)
  wake_by(run, time_of(element))
  if run.held then
    redis.call('SADD', worker_key(run.owner, 'unread'), run.ns .. run.tail)
  end
  heard.w = true
end

local function element(message, at, of_activity)
  return (of_activity and '1' or '0') .. message.request .. at .. '/' .. message.body
end

-- Forgets what history has taken in.
local function take_in(run, taken)
  if tonumber(taken) <= tonumber(run.taken) then
    return
  end
  set(run, 'taken', taken)
  if tonumber(run.shown) < tonumber(taken) then
    set(run, 'shown', taken)
  end
  local waiting = redis.call('LLEN', inbox_of(run))
  local gone = math.min(waiting, tonumber(taken) - (tonumber(run.last) - waiting))
  if gone > 0 then
    redis.call('LTRIM', inbox_of(run), gone, -1)
    count(run.ns, 'messages', -gone)
  end
end

-- Empties the inbox; answers what is not for this run alone.
local function empty(run)
  local waiting = run.last ~= run.taken and redis.call('LLEN', inbox_of(run)) or 0
  if waiting == 0 then
    return {}
  end
  local held = {}
  for _, message in ipairs(redis.call('LRANGE', inbox_of(run), 0, -1)) do
    if string.sub(message, 1, 1) == '0' then
      held[#held + 1] = message
    end
  end
  redis.call('DEL', inbox_of(run))
  count(run.ns, 'messages', -waiting)
  return held
end

-- Messages beyond one position and up to another.
local function between(run, after, upto)
  local waiting = redis.call('LLEN', inbox_of(run))
  local before_first = tonumber(run.last) - waiting
  if upto <= after or upto <= before_first then
    return {}
  end
  local from = math.max(after - before_first, 0)
  return redis.call('LRANGE', inbox_of(run), from, upto - before_first - 1)
end
