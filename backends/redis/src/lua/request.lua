-- What was applied is known again by its request ID, in the slot of its workflow ID, for a day; answers likewise.

local function is_old(given)
  return elapsed - tonumber(given) > DAY
end

-- Forgets a few that are old: more than are new with each call.
local function forget(ns, id, what)
  local ages = key(ns, what .. '-ages', id)
  for _ = 1, 4 do
    local oldest = redis.call('LINDEX', ages, 0)
    if not oldest then
      return
    end
    local given, request = string.match(oldest, '^(%d+)/(.*)$')
    if not is_old(given) then
      return
    end
    local value = redis.call('HGET', key(ns, what, id), request)
    -- What was given again since is young.
    if value and (what == 'requests' or is_old(string.match(value, '^%d+'))) then
      redis.call('HDEL', key(ns, what, id), request)
    end
    redis.call('LPOP', ages)
  end
end

-- The first outcome of a request, if it was applied.
local function known(ns, id, request)
  return redis.call('HGET', key(ns, 'requests', id), request) or nil
end

-- An outcome is two letters and the run that it is about.
local function remember(ns, id, request, outcome)
  if redis.call('HSETNX', key(ns, 'requests', id), request, outcome) == 1 then
    redis.call('RPUSH', key(ns, 'requests-ages', id), int(elapsed) .. '/' .. request)
    forget(ns, id, 'requests')
  end
  return outcome
end

local function answer(run, answered)
  redis.call('HSET', key(run.ns, 'answers', run.id), answered.request, int(elapsed) .. '/' .. run.hex .. answered.body)
  redis.call('RPUSH', key(run.ns, 'answers-ages', run.id), int(elapsed) .. '/' .. answered.request)
  forget(run.ns, run.id, 'answers')
  heard.a = true
end

-- Forgets what is about a run that is removed.
local function forget_run(run)
  local function forget_in(what, is_about)
    local all = redis.call('HGETALL', key(run.ns, what, run.id))
    local gone = {}
    for place = 1, #all, 2 do
      if is_about(all[place + 1]) then
        redis.call('HDEL', key(run.ns, what, run.id), all[place])
        gone[all[place]] = true
      end
    end
    if next(gone) then
      local ages = key(run.ns, what .. '-ages', run.id)
      local kept = {}
      for _, entry in ipairs(redis.call('LRANGE', ages, 0, -1)) do
        if not gone[string.match(entry, '/(.*)$')] then
          kept[#kept + 1] = entry
        end
      end
      redis.call('DEL', ages)
      for _, entry in ipairs(kept) do
        redis.call('RPUSH', ages, entry)
      end
    end
  end
  forget_in('requests', function(outcome)
    return string.sub(outcome, 3, 34) == run.hex
  end)
  forget_in('answers', function(answered)
    return string.match(answered, '^%d+/(' .. string.rep('.', 32) .. ')') == run.hex
  end)
end
