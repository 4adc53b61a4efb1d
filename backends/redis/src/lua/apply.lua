-- The door for writes: members of a batch, in order.

-- Entries of an outbox, oldest first.
local function outgoing(write)
  local found = {}
  for _, entry in ipairs(redis.call('LRANGE', key(write.ns, 'outbox', write.run .. write.id), 0, 99)) do
    local number, packed = string.match(entry, '^(%d+)/(.*)$')
    local asked = cmsgpack.unpack(packed)
    found[#found + 1] = { number, asked.partition, asked.errand }
  end
  return found
end

-- Takes what has been done off an outbox, in order, and tells its run. What is off already is passed over.
local function settle(write)
  local tail = write.run .. write.id
  local outbox = key(write.ns, 'outbox', tail)
  for _, done in ipairs(write.done) do
    local number, packed = string.match(redis.call('LINDEX', outbox, 0) or '', '^(%d+)/(.*)$')
    if number == done[1] then
      redis.call('LPOP', outbox)
      local asked = cmsgpack.unpack(packed)
      local message = asked.if_refused
      if done[2] then
        message = asked.if_done
      end
      local run = load(write.ns, tail)
      if message and run and run.status == OPEN then
        deliver(run, element(message, asked.at))
      end
    end
  end
  local waits = redis.call('EXISTS', outbox)
  local run = load(write.ns, tail)
  if waits == 0 then
    redis.call('ZREM', TAG .. 'outboxes', write.ns .. tail)
    if run then
      set(run, 'errands', nil)
    end
  end
  return { waits, run and run.last or '0' }
end

-- Whether a run is still held by the worker that its start named.
local function is_held(write)
  local run = load(write.ns, write.run .. write.id)
  return run and run.owner == write.worker and run.token == '1' and 1 or 0
end

local KINDS = {
  start = start,
  send = send,
  terminate = terminate_once,
  commit = commit,
  report = report,
  remove = remove,
  outgoing = outgoing,
  settle = settle,
  held = is_held,
}

-- Whether the row that a write is about is torn: then nothing of it is done.
local function is_torn(write)
  local run = write.run and load(write.ns, write.run .. write.id) or latest(write.ns, write.id)
  return run and run.is_torn
end

perform = function(write)
  if not write.what then
    return step(write)
  end
  if is_torn(write) then
    return '-B'
  end
  return KINDS[write.what](write)
end

-- Whether nothing but this run is to be written yet: then it is written once, as after its start and its first commit.
local function changes_only(hex)
  for run in pairs(dirty) do
    if run.hex ~= hex then
      return false
    end
  end
  return true
end

redis.register_function(NAME .. 'apply', function(keys, args)
  begin(keys, { args[1] })
  local outcomes = {}
  for place = 2, #args do
    local write = cmsgpack.unpack(args[place])
    if not changes_only(write.run) then
      flush()
    end
    outcomes[place - 1] = perform(write)
  end
  flush()
  tidy()
  return { announce(), outcomes }
end)
