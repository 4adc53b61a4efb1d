-- Opening runs, and ending them from outside.

-- Closes a run at its last event; answers what of its inbox is not for it alone.
local function close(run, status, outcome)
  remove_tasks(run)
  local held = empty(run)
  let_go(run)
  for _, field in ipairs({ 'wake', 'rowless', 'dependents', 'door' }) do
    set(run, field, nil)
  end
  mark(run, 'paused', false)
  mark(run, 'parked', false)
  list_as(run, status)
  keep(run, 'closed', run.last_at)
  redis.call('ZADD', TAG .. run.ns .. 'closed', run.last_at, run.tail)
  keep(run, 'outcome', outcome)
  requeue(run)
  heard.c = true
  return held
end

-- Ends an open run: one event more, one token more, no tasks, no inbox.
local function terminate(run, closing, at)
  set(run, 'token', int(tonumber(run.token) + 1))
  append(run, { count = '1', at = at, bytes = closing.record })
  set(run, 'unsettled', run.dependents)
  if run.unsettled then
    heard.w = true
  end
  return close(run, TERMINATED, closing.outcome)
end

-- Opens a run unconditionally; answers whether the owner that the start names holds it.
local function open(write)
  local run = new_row(write.ns, write.run .. write.id)
  redis.call('RPUSH', key(write.ns, 'id', write.id), write.run)
  lasts[write.ns .. write.id] = write.run
  run.is_new = true
  for _, part in ipairs(NUMBERS) do
    set(run, part, '0')
  end
  fix(run, 'name', write.name)
  fix(run, 'queue', write.queue)
  fix(run, 'kind', write.kind)
  fix(run, 'started', write.records[1].at)
  set(run, 'wake', write.wake)
  -- What was open in a copied part has no row in the queue.
  set(run, 'rowless', #write.records > 1 and '1' or nil)
  set(run, 'dependents', write.dependents and '1' or nil)
  keep(run, 'info', write.info)
  keep(run, 'attributes', write.attributes)
  keep(run, 'memo', write.memo)
  list_as(run, OPEN)
  find_by(run, write.index)
  -- No commit wrote these, and none can say that it did.
  for _, record in ipairs(write.records) do
    append(run, record)
  end
  for _, message in ipairs(write.inbox) do
    push(run, element(message, write.records[1].at))
  end
  -- Who starts a run knows what it put into it.
  set(run, 'shown', run.last)
  local owned = write.owner and alive(write.owner) or false
  if owned then
    set(run, 'token', '1')
    hold(run, write.owner)
  else
    requeue(run)
    heard.w = true
  end
  return owned
end

-- Puts what waited for one run to the end of the inbox of the run that follows it.
local function hand_on(write, held)
  local run = load(write.ns, write.run .. write.id)
  for _, message in ipairs(held) do
    deliver(run, message)
  end
end

local function may_reuse(policy, closed)
  return policy == 'allow' or (policy == 'unless-completed' and closed ~= COMPLETED)
end

local function started(write, owned)
  return (owned and 'S1' or 'S0') .. write.run
end

local function start_over(write, run)
  local conflict = write.conflict
  if conflict == 'use' then
    return 'E-' .. run.hex
  elseif conflict == 'send' then
    if is_closing(run) then
      return '-C' .. run.hex
    end
    for _, message in ipairs(write.inbox) do
      deliver(run, element(message, write.records[1].at))
    end
    return 'E-' .. run.hex
  elseif conflict == 'terminate' then
    terminate(run, write.closing, write.records[1].at)
    return started(write, open(write))
  elseif conflict == 'replace' then
    if run.hex ~= write.replaced.run or run.head ~= write.replaced.head then
      return '-A' .. run.hex .. run.head
    end
    local held = terminate(run, write.closing, write.replaced.at)
    local owned = open(write)
    hand_on(write, held)
    return started(write, owned)
  end
  return '-I' .. run.hex
end

local function start(write)
  local first = known(write.ns, write.id, write.request)
  if first then
    return first
  end
  if load(write.ns, write.run .. write.id) then
    return '-Vthe run was started by another request'
  end
  local run = latest(write.ns, write.id)
  local outcome
  if run and run.status == OPEN then
    outcome = start_over(write, run)
  elseif run and not may_reuse(write.reuse, run.status) then
    outcome = '-I' .. run.hex .. run.status
  else
    outcome = started(write, open(write))
  end
  if string.sub(outcome, 1, 1) == '-' then
    return outcome
  end
  return remember(write.ns, write.id, write.request, outcome, run == nil)
end
