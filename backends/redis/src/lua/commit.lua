-- Committing a workflow task: every condition first, then the change.

-- Does one of the writes of a batch.
local perform

-- Asks another run for something: at once if it lies here and nothing goes before it, else by the outbox, whose entries
-- whoever committed moves to their slots, in order.
local function ask(run, outgoing, at)
  local outbox = key(run.ns, 'outbox', run.tail)
  if outgoing.partition == context.partition and not run.errands then
    local outcome = perform(cmsgpack.unpack(outgoing.errand))
    local message = outgoing.if_refused
    if string.sub(outcome, 1, 1) ~= '-' then
      message = outgoing.if_done
    end
    if message and run.status == OPEN then
      deliver(run, element(message, at))
    end
    return
  end
  local number = redis.call('INCR', TAG .. 'outgoing')
  outgoing.at = at
  redis.call('RPUSH', outbox, int(number) .. '/' .. cmsgpack.pack(outgoing))
  set(run, 'errands', '1')
  redis.call('ZADD', TAG .. 'outboxes', 'NX', server_time(), run.ns .. run.tail)
end

-- What the worker must still know of a run to tell its state: empty where the state is no plain one.
local function standing(run, write)
  local is_plain = run.status == OPEN and run.held and run.owner == write.worker and run.last == run.taken
    and run.last == run.shown
  local is_special = run.door or run.unsettled or run.paused or run.parked or run.queued or run.errands
  return is_plain and not is_special and run.last_at or ''
end

-- The answer to a commit that is applied, now or before.
local function committed(run, write, stands)
  local started = {}
  for _, outgoing in ipairs(write.outgoing) do
    if outgoing.starts and outgoing.partition == context.partition then
      local child = load(outgoing.starts.ns, outgoing.starts.run .. outgoing.starts.id)
      if child and child.owner == write.worker and child.token == '1' then
        started[#started + 1] = child.hex
      end
    end
  end
  return 'C' .. run.last .. '/' .. (run.errands or '0') .. '/' .. (stands or '') .. '/' .. table.concat(started)
end

-- Whether the record after `head` was written under this token: that commit was applied before.
local function wrote_after(run, head, token)
  local first = tonumber(head) + 1
  local _, found = find_record(key(run.ns, 'history', run.tail), first)
  return found and span(found) == first and string.match(found, '^%d+') == token
end

-- The refusal, if there is one. Shuts the door of a run that cannot close yet.
local function refusal(run, write)
  local settles = write.next == 'settled'
  if not alive(write.worker) or run.token ~= write.token or run.owner ~= write.worker
    or (run.unsettled ~= nil) ~= settles then
    return '-L'
  end
  for _, ended in ipairs(write.ended) do
    local task = load_task(run.ns, run.tail, ended[1])
    if not task or task.worker ~= write.worker or task.attempt ~= ended[2] then
      return '-T'
    end
  end
  if write.next == 'open' or settles then
    return nil
  end
  local ends, continues = inbox_end(run), write.next == 'continued'
  local _, would_continue = door_of(run)
  if write.next == 'closed' and would_continue then
    -- What was accepted for a successor has none now: it must be taken in.
    ends = tonumber(run.last)
  end
  if tonumber(write.taken) >= ends then
    return nil
  end
  set(run, 'door', (continues and 'c' or 's') .. int(ends))
  heard.w = true
  return '-D' .. int(ends)
end

local function keep_open(run, write, at)
  set(run, 'door', nil)
  set(run, 'wake', write.wake)
  set(run, 'rowless', write.rowless and '1' or nil)
  set(run, 'dependents', write.dependents and '1' or nil)
  mark(run, 'paused', write.paused)
  if run.parked or write.failure then
    keep(run, 'failure', write.failure)
    mark(run, 'parked', write.failure ~= nil)
  end
  if tonumber(run.last) > tonumber(run.taken) then
    wake_by(run, at)
    heard.w = true
  end
  if write.release then
    let_go(run)
    heard.w = true
  elseif tonumber(run.last) > tonumber(run.shown) then
    redis.call('SADD', worker_key(run.owner, 'unread'), run.ns .. run.tail)
  end
  requeue(run)
end

local function change_tasks(run, write)
  for _, task in ipairs(write.schedule) do
    schedule(run, task, write.worker)
  end
  for _, ended in ipairs(write.ended) do
    remove_task(run, ended[1])
  end
  for _, scheduled in ipairs(write.cancelled) do
    remove_task(run, scheduled)
  end
  for _, scheduled in ipairs(write.asked) do
    if redis.call('SISMEMBER', key(run.ns, 'tasks', run.tail), scheduled) == 1 then
      redis.call('HSET', task_key(run.ns, run.tail, scheduled), 'cancel', '1')
    end
  end
end

local function do_next(run, write, at)
  if write.next == 'open' then
    keep_open(run, write, at)
  elseif write.next == 'settled' then
    set(run, 'unsettled', nil)
    let_go(run)
    requeue(run)
  else
    if run.parked then
      keep(run, 'failure', nil)
    end
    local held = close(run, write.status, write.outcome)
    if write.next == 'continued' then
      keep(run, 'continued', write.successor.run)
      open(write.successor)
      hand_on(write.successor, held)
    end
  end
end

-- What the commit answers requests with, and what its run shows of itself.
local function tell(run, write)
  for _, answered in ipairs(write.answers) do
    answer(run, answered)
  end
  if write.published then
    keep(run, 'published', write.published)
  end
  if write.shows then
    keep(run, 'attributes', write.attributes)
    find_by(run, write.index)
  end
  if write.remembers then
    keep(run, 'memo', write.memo)
  end
end

local function commit(write)
  local run = load(write.ns, write.run .. write.id)
  if not run then
    return '-L'
  end
  if write.request and known(write.ns, write.id, write.request) then
    return committed(run, write)
  end
  if run.head ~= write.head then
    return wrote_after(run, write.head, write.token) and committed(run, write) or '-L'
  end
  local refused = refusal(run, write)
  if refused then
    return refused
  end
  take_in(run, write.taken)
  local at = now
  if write.record then
    append(run, write.record)
    at = run.last_at
  end
  change_tasks(run, write)
  do_next(run, write, at)
  tell(run, write)
  for _, outgoing in ipairs(write.outgoing) do
    ask(run, outgoing, at)
  end
  if write.request then
    remember(write.ns, write.id, write.request, 'C-' .. run.hex)
  end
  return committed(run, write, standing(run, write))
end

-- The next step of a run whose state is what its worker left: then nothing else of it need be looked at. What it writes
-- comes ready.
local function step(write)
  local worker, ns, tail, before, after, record = unpack(write)
  local known = rows[ns .. tail]
  if known and dirty[known] then
    flush()
  end
  local row = key(ns, 'run', tail)
  if redis.call('HGET', row, 'state') ~= before or not alive(worker) then
    return '-R'
  end
  redis.call('RPUSH', key(ns, 'history', tail), record)
  redis.call('HSET', row, 'state', after)
  -- Whoever comes later in this call reads it anew.
  rows[ns .. tail] = nil
  return 'F'
end
