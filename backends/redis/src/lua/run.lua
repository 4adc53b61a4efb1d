-- Rows of runs: read once for a call, written once for a member of a batch; and where a run is found.

-- What never changes and decides beside the state, and the index that finding it goes by. Payloads stand in the same hash
-- and are written without being read.
local FIELDS = { 'queue', 'kind', 'name', 'started', 'index' }
-- Those without which nothing can be done for a run: a row that lacks one is torn, by somebody else's hand.
local NUMBERS = { 'head', 'last', 'taken', 'shown', 'token' }
local OPEN, COMPLETED, TERMINATED = '0', '1', '4'

local function new_row(ns, tail)
  local run = { ns = ns, tail = tail, hex = string.sub(tail, 1, 32), id = string.sub(tail, 33), changed = {} }
  rows[ns .. tail] = run
  return run
end

local function load(ns, tail)
  local known = rows[ns .. tail]
  if known ~= nil then
    return known and not known.gone and known or nil
  end
  local values = redis.call('HMGET', key(ns, 'run', tail), 'state', unpack(FIELDS))
  if not values[1] then
    rows[ns .. tail] = false
    return nil
  end
  local run = read_state(values[1], new_row(ns, tail))
  for place, field in ipairs(FIELDS) do
    run[field] = values[place + 1] or nil
  end
  for _, field in ipairs(NUMBERS) do
    run.is_torn = run.is_torn or not tonumber(run[field])
  end
  return run
end

-- Sets a field, or takes it out.
local function keep(run, field, value)
  run.changed[field] = value or false
  dirty[run] = true
end

-- As `keep`, for a field that is read here.
local function fix(run, field, value)
  run[field] = value
  keep(run, field, value)
end

-- Sets a part of the state.
local function set(run, part, value)
  if run[part] ~= value then
    run[part] = value
    run.is_restated = true
    dirty[run] = true
  end
end

-- Writes what has changed.
local function flush()
  for run in pairs(dirty) do
    if run.is_restated and not run.gone then
      run.changed.state = written_state(run)
    end
    local there, gone = {}, {}
    for field, value in pairs(run.changed) do
      if value then
        there[#there + 1] = field
        there[#there + 1] = value
      elseif not run.is_new then
        gone[#gone + 1] = field
      end
    end
    if #there > 0 then
      redis.call('HSET', key(run.ns, 'run', run.tail), unpack(there))
    end
    if #gone > 0 then
      redis.call('HDEL', key(run.ns, 'run', run.tail), unpack(gone))
    end
    run.changed, run.is_restated, run.is_new = {}, nil, nil
  end
  dirty = {}
end

-- The run of a workflow ID that was started last. If one is open it is this one.
local function latest(ns, id)
  local hex = lasts[ns .. id]
  if hex == nil then
    hex = redis.call('LINDEX', key(ns, 'id', id), -1)
    lasts[ns .. id] = hex
  end
  return hex and load(ns, hex .. id) or nil
end

-- The run that a write is meant for.
local function target(write)
  if write.run then
    return load(write.ns, write.run .. write.id)
  end
  return latest(write.ns, write.id)
end

-- Appends a record under the run's token.
local function append(run, record)
  local at = record.at
  if run.last_at and earlier(at, run.last_at) then
    at = run.last_at
  end
  local first = int(tonumber(run.head) + 1)
  local written = table.concat({ run.token, first, record.count, at, record.bytes }, '/')
  redis.call('RPUSH', key(run.ns, 'history', run.tail), written)
  set(run, 'head', int(tonumber(run.head) + tonumber(record.count)))
  set(run, 'last_at', at)
end

-- Where it is listed.

local function list_as(run, status)
  local index = TAG .. run.ns .. 'runs'
  if run.status then
    drop(index, run.status .. '/' .. run.name, run.tail)
  end
  set(run, 'status', status)
  if status then
    put(index, status .. '/' .. run.name, run.started, run.tail)
  end
end

-- Lists it among those that are so, or no longer.
local function mark(run, what, is_so)
  local value = is_so and '1' or nil
  if run[what] == value then
    return
  end
  set(run, what, value)
  if value then
    redis.call('ZADD', TAG .. run.ns .. what, run.started, run.tail)
  else
    redis.call('ZREM', TAG .. run.ns .. what, run.tail)
  end
end

-- Finds it by these attributes, and no longer by those before.
local function find_by(run, index)
  for _, entry in ipairs(run.index and cmsgpack.unpack(run.index) or {}) do
    redis.call('ZREM', key(run.ns, 'attribute', entry[1]), entry[2] .. run.tail)
  end
  for _, entry in ipairs(index or {}) do
    redis.call('ZADD', key(run.ns, 'attribute', entry[1]), 0, entry[2] .. run.tail)
  end
  local packed = index and #index > 0 and cmsgpack.pack(index) or nil
  if run.index ~= packed then
    fix(run, 'index', packed)
  end
end

-- Who holds it, and where it waits while nobody does.

local function queue_of(run)
  return TAG .. run.ns .. 'queue/' .. run.queue
end

-- Puts a run that no living worker holds where claims find it, or takes it out.
local function requeue(run)
  local due = nil
  if not run.held then
    if run.unsettled or (run.rowless and run.owner) then
      due = AT_ONCE
    elseif run.status == OPEN then
      due = run.wake
    end
  end
  if due then
    put(queue_of(run), run.kind, due, run.tail)
  elseif run.queued then
    drop(queue_of(run), run.kind, run.tail)
  end
  set(run, 'queued', due and '1' or nil)
end

local function hold(run, worker)
  set(run, 'owner', worker)
  set(run, 'held', '1')
  redis.call('SADD', worker_key(worker, 'held'), run.ns .. run.tail)
  requeue(run)
end

-- Nobody holds it any more.
local function let_go(run)
  if run.held then
    redis.call('SREM', worker_key(run.owner, 'held'), run.ns .. run.tail)
    if run.last ~= '0' then
      redis.call('SREM', worker_key(run.owner, 'unread'), run.ns .. run.tail)
    end
    set(run, 'held', nil)
  end
  set(run, 'owner', nil)
end

local function wake_by(run, at)
  if not run.wake or earlier(at, run.wake) then
    set(run, 'wake', at)
    requeue(run)
  end
end
