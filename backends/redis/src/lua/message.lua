-- Messages to runs and ends from outside; the activity reports and removals that come through the same door.

local function open_target(write)
  local run = target(write)
  if not run then
    return nil, '-N'
  elseif run.status ~= OPEN then
    return nil, '-C' .. run.hex
  end
  return run
end

local function send(write)
  local first = known(write.ns, write.id, write.message.request)
  if first then
    return first
  end
  local run, refused = open_target(write)
  if not run then
    return refused
  elseif is_closing(run) then
    return '-C' .. run.hex
  end
  deliver(run, element(write.message, write.at))
  return remember(write.ns, write.id, write.message.request, 'M-' .. run.hex)
end

local function terminate_once(write)
  local first = known(write.ns, write.id, write.request)
  if first then
    return first
  end
  local run, refused = open_target(write)
  if not run then
    return refused
  end
  terminate(run, write.closing, write.at)
  return remember(write.ns, write.id, write.request, 'T-' .. run.hex)
end

local function heartbeat(task, write)
  if write.details then
    redis.call('HSET', task.key, 'details', write.details)
  end
  if write.visible and task.deferred then
    redis.call('HSET', task.key, 'visible', write.visible)
    if not task.worker then
      offer(task, write.visible)
    end
  end
  return task.cancel and 'W1' or 'W0'
end

local function report(write)
  local is_heartbeat = write.verdict == 'heartbeat'
  local first = not is_heartbeat and known(write.ns, write.id, write.request)
  if first then
    return first
  end
  local tail = write.run .. write.id
  local task = load_task(write.ns, tail, write.scheduled)
  local is_its_own = task and (not write.worker or task.worker == write.worker)
  if not is_its_own or task.attempt ~= write.attempt then
    return '-T'
  elseif is_heartbeat then
    return heartbeat(task, write)
  end
  heard.w = true
  if write.verdict == 'ended' then
    local run = load(write.ns, tail)
    remove_task(run, write.scheduled)
    deliver(run, element(write.message, write.at, true))
  else
    give_back(task)
    redis.call('HDEL', task.key, 'deferred')
    if write.verdict == 'retry' then
      redis.call('HSET', task.key, 'attempt', write.next, 'failure', write.failure, 'visible', write.visible)
    elseif write.verdict == 'deferred' then
      redis.call('HSET', task.key, 'deferred', '1', 'visible', write.visible)
    end
    offer(task, write.visible or task.visible)
  end
  return remember(write.ns, write.id, write.request, 'R-' .. write.run)
end

local function remove(write)
  local run = load(write.ns, write.run .. write.id)
  if not run then
    return 'X'
  elseif run.status == OPEN or run.unsettled then
    return '-O' .. run.hex
  end
  forget_run(run)
  find_by(run, nil)
  list_as(run, nil)
  redis.call('ZREM', TAG .. run.ns .. 'closed', run.tail)
  redis.call('DEL', key(run.ns, 'run', run.tail), key(run.ns, 'history', run.tail))
  redis.call('LREM', key(run.ns, 'id', run.id), -1, run.hex)
  lasts[run.ns .. run.id] = nil
  run.changed = {}
  run.gone = true
  return 'X'
end
