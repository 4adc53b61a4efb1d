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
  if waits == 0 then
    redis.call('ZREM', TAG .. 'outboxes', write.ns .. tail)
  end
  local run = load(write.ns, tail)
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

local outcomes = {}
for place = 2, #ARGV do
  outcomes[place - 1] = perform(cmsgpack.unpack(ARGV[place]))
  flush()
end
return { announce(), outcomes }
