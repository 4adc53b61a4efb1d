-- Reads, none of which changes anything.

local asked

-- A run as it is kept, and how many messages wait for it.
local function row(ns, tail)
  return { tail, redis.call('HGETALL', key(ns, 'run', tail)), redis.call('LLEN', key(ns, 'inbox', tail)) }
end

local function describe()
  local found = {}
  for place, one in ipairs(asked.targets) do
    local run = one.run or redis.call('LINDEX', key(one.ns, 'id', one.id), -1)
    if run and redis.call('EXISTS', key(one.ns, 'run', run .. one.id)) == 1 then
      found[place] = row(one.ns, run .. one.id)
    else
      found[place] = {}
    end
  end
  return found
end

-- Records whose last event comes after `after`: the first, and as many more as fit.
local function history()
  local records = key(asked.ns, 'history', asked.tail)
  local place = asked.after == 0 and 0 or find_record(records, asked.after + 1)
  local found, bytes, wanted = {}, 0, 1
  while place do
    local part = redis.call('LRANGE', records, place, place + wanted - 1)
    for _, record in ipairs(part) do
      bytes = bytes + #record - string.match(record, '^%d+/%d+/%d+/%-?%d+/()') + 1
      if #found > 0 and bytes > asked.bytes_max then
        return found
      end
      found[#found + 1] = record
    end
    place = #part == wanted and place + #part or nil
    -- One at first, then about as many as fit: they may be large.
    wanted = math.max(1, math.min(64, math.floor((asked.bytes_max - bytes) * #found / (bytes + 1))))
  end
  return found
end

local function queued()
  local found = {}
  for place, scheduled in ipairs(redis.call('SMEMBERS', key(asked.ns, 'tasks', asked.tail))) do
    found[place] = { scheduled, redis.call('HGETALL', key(asked.ns, 'task', scheduled .. '/' .. asked.tail)) }
  end
  return found
end

local function answers()
  local found = {}
  for place, one in ipairs(asked.keys) do
    found[place] = redis.call('HGET', key(one.ns, 'answers', one.id), one.request)
  end
  return found
end

local function stats()
  local index = TAG .. asked.ns .. 'runs'
  local open, closed = 0, 0
  for _, name in ipairs(redis.call('SMEMBERS', index)) do
    local runs = redis.call('ZCARD', index .. '/' .. name)
    if string.sub(name, 1, 2) == '0/' then
      open = open + runs
    else
      closed = closed + runs
    end
  end
  local counts = redis.call('HMGET', TAG .. asked.ns .. 'counts', 'queued', 'messages')
  return { open, redis.call('ZCARD', TAG .. asked.ns .. 'parked'), closed, tonumber(counts[1] or 0), tonumber(counts[2] or 0) }
end

-- Closed runs that closed before a time, the longest closed first: found by their ends, so none that is open is looked at.
local function closed_before()
  local found, place = {}, 0
  while #found < asked.max do
    local part = redis.call(
      'ZRANGEBYSCORE', TAG .. asked.ns .. 'closed', '-inf', '(' .. asked.before, 'LIMIT', place, asked.max - #found)
    if #part == 0 then
      break
    end
    for _, tail in ipairs(part) do
      local row = redis.call('HMGET', key(asked.ns, 'run', tail), 'closed', 'state')
      if row[1] and row[2] and not read_state(row[2], {}).unsettled then
        found[#found + 1] = { row[1], tail }
      end
    end
    place = place + #part
  end
  return found
end

-- Lists.

local function is_listed(tail)
  local row = redis.call('HMGET', key(asked.ns, 'run', tail), 'state', 'name', 'started')
  local state = row[1] and read_state(row[1], {})
  local is_so = state
    and (not asked.statuses or asked.statuses[state.status])
    and (not asked.name or asked.name == row[2])
    and (not asked.id or asked.id == string.sub(tail, 33))
    and (not asked.mark or state[asked.mark])
  return is_so and row[3] or nil
end

-- Whether it comes after the page before.
local function is_beyond(started, tail)
  local after = asked.after_at
  if not after then
    return true
  end
  local one, other = tonumber(started), tonumber(after)
  return one < other or (one == other and string.sub(tail, 1, 32) < asked.after_run)
end

-- All that have these attributes; the condition that the fewest meet is asked first.
local function by_attributes()
  local function set_of(filter)
    return key(asked.ns, 'attribute', filter.key)
  end
  table.sort(asked.filters, function(one, other)
    return redis.call('ZLEXCOUNT', set_of(one), one.min, one.max) < redis.call('ZLEXCOUNT', set_of(other), other.min, other.max)
  end)
  local all
  for _, filter in ipairs(asked.filters) do
    local these = {}
    for _, member in ipairs(redis.call('ZRANGEBYLEX', set_of(filter), filter.min, filter.max)) do
      local prefix = filter.width
      if prefix == 0 then
        prefix = string.find(member, '\0\1', 1, true) + 1
      end
      local tail = string.sub(member, prefix + 1)
      if not all or all[tail] then
        these[tail] = true
      end
    end
    all = these
  end
  local tails = {}
  for tail in pairs(all) do
    tails[#tails + 1] = tail
  end
  return tails
end

-- The first of a sorted set that are listed, beyond the page before.
local function walk(set_key, found)
  local offset, wanted = 0, asked.size
  while wanted > 0 do
    local part = redis.call('ZREVRANGEBYSCORE', set_key, asked.after_at or '+inf', '-inf', 'WITHSCORES', 'LIMIT', offset, wanted)
    for place = 1, #part, 2 do
      if is_beyond(part[place + 1], part[place]) and is_listed(part[place]) and wanted > 0 then
        found[#found + 1] = { part[place + 1], part[place] }
        wanted = wanted - 1
      end
    end
    offset = offset + #part / 2
    if #part == 0 then
      return
    end
  end
end

local function list()
  local found = {}
  local tails
  if #asked.filters > 0 then
    tails = by_attributes()
  elseif asked.id then
    tails = {}
    for place, run in ipairs(redis.call('LRANGE', key(asked.ns, 'id', asked.id), 0, -1)) do
      tails[place] = run .. asked.id
    end
  elseif asked.mark then
    walk(TAG .. asked.ns .. asked.mark, found)
  else
    local index = TAG .. asked.ns .. 'runs'
    for _, kind in ipairs(redis.call('SMEMBERS', index)) do
      local status, name = string.match(kind, '^(%d+)/(.*)$')
      if (not asked.statuses or asked.statuses[status]) and (not asked.name or asked.name == name) then
        walk(index .. '/' .. kind, found)
      end
    end
  end
  for _, tail in ipairs(tails or {}) do
    local started = is_listed(tail)
    if started and is_beyond(started, tail) then
      found[#found + 1] = { started, tail }
    end
  end
  table.sort(found, function(one, other)
    local first, second = tonumber(one[1]), tonumber(other[1])
    return first > second or (first == second and string.sub(one[2], 1, 32) > string.sub(other[2], 1, 32))
  end)
  local page = {}
  for place = 1, math.min(#found, asked.size) do
    page[place] = row(asked.ns, found[place][2])
  end
  return page
end

local READS = {
  describe = describe,
  history = history,
  queued = queued,
  answers = answers,
  stats = stats,
  closed_before = closed_before,
  list = list,
}

redis.register_function({
  function_name = NAME .. 'read',
  callback = function(keys, args)
    asked = begin(keys, args)
    return READS[asked.what]()
  end,
  flags = { 'no-writes' },
})
