-- What was applied is known again by its request ID, in the slot of its workflow ID, for a day; answers likewise.

-- From so many on, a few are looked at with each that comes, and go if they are old: so old ones stay the fewer.
local FEW = 8
local LOOKED_AT = 4

local function remember_in(ns, id, what, request, value, is_first)
  local values = key(ns, what, id)
  redis.call('HSET', values, request, int(elapsed) .. '/' .. value)
  if not is_first and redis.call('HLEN', values) > FEW then
    for _, other in ipairs(redis.call('HRANDFIELD', values, LOOKED_AT)) do
      local given = string.match(redis.call('HGET', values, other), '^%d+')
      if elapsed - tonumber(given) > DAY then
        redis.call('HDEL', values, other)
      end
    end
  end
end

-- The first outcome of a request, if it was applied.
local function known(ns, id, request)
  local value = redis.call('HGET', key(ns, 'requests', id), request)
  return value and string.match(value, '/(.*)$') or nil
end

-- An outcome is two letters and the run that it is about. Of a workflow ID that has no run nothing is remembered yet.
local function remember(ns, id, request, outcome, is_first)
  remember_in(ns, id, 'requests', request, outcome, is_first)
  return outcome
end

local function answer(run, answered)
  remember_in(run.ns, run.id, 'answers', answered.request, run.hex .. answered.body)
  heard.a = true
end

-- Forgets what is about a run that is removed.
local function forget_run(run)
  local function forget_in(what, from)
    local values = key(run.ns, what, run.id)
    for _, request in ipairs(redis.call('HKEYS', values)) do
      local value = redis.call('HGET', values, request)
      local begins = string.find(value, '/', 1, true) + from
      if string.sub(value, begins, begins + 31) == run.hex then
        redis.call('HDEL', values, request)
      end
    end
  end
  forget_in('requests', 3)
  forget_in('answers', 1)
end
