-- Queued activities: a hash for each, a set of them for each run, and a sorted set for each queue and name.

local TASK_FIELDS = { 'attempt', 'visible', 'worker', 'held', 'queue', 'activity', 'deferred', 'cancel' }

local function task_key(ns, tail, scheduled)
  return key(ns, 'task', scheduled .. '/' .. tail)
end

local function task_queue(ns, task)
  return key(ns, 'activities', task.queue .. '/' .. task.activity)
end

local function load_task(ns, tail, scheduled)
  local values = redis.call('HMGET', task_key(ns, tail, scheduled), unpack(TASK_FIELDS))
  if not values[1] then
    return nil
  end
  local task = { ns = ns, tail = tail, scheduled = scheduled, key = task_key(ns, tail, scheduled) }
  for place, field in ipairs(TASK_FIELDS) do
    task[field] = values[place] or nil
  end
  return task
end

-- Puts a task where claims find it.
local function offer(task, due)
  redis.call('ZADD', task_queue(task.ns, task), due, task.scheduled .. '/' .. task.tail)
end

local function withdraw(task)
  redis.call('ZREM', task_queue(task.ns, task), task.scheduled .. '/' .. task.tail)
end

local function run_by(task, worker)
  redis.call('HSET', task.key, 'worker', worker, 'held', '1')
  redis.call('SADD', worker_key(worker, 'running'), task.ns .. task.scheduled .. '/' .. task.tail)
end

-- Nobody runs it any more.
local function give_back(task)
  if task.held then
    redis.call('SREM', worker_key(task.worker, 'running'), task.ns .. task.scheduled .. '/' .. task.tail)
  else
    withdraw(task)
  end
  redis.call('HDEL', task.key, 'worker', 'held')
end

-- Queues what a commit schedules, unless it is there.
local function schedule(run, new, worker)
  local task = { ns = run.ns, tail = run.tail, scheduled = new.scheduled, queue = new.queue, activity = new.activity }
  task.key = task_key(run.ns, run.tail, new.scheduled)
  heard.w = true
  if redis.call('SADD', key(run.ns, 'tasks', run.tail), new.scheduled) == 0 then
    return
  end
  count(run.ns, 'queued', 1)
  local row = {}
  for _, field in ipairs({ 'queue', 'activity', 'priority', 'call', 'attempt', 'visible', 'close_by', 'failure', 'details' }) do
    if new[field] then
      row[#row + 1] = field
      row[#row + 1] = new[field]
    end
  end
  redis.call('HSET', task.key, unpack(row))
  if new.running then
    run_by(task, worker)
  else
    offer(task, new.visible)
  end
end

local function remove_task(run, scheduled)
  if redis.call('SREM', key(run.ns, 'tasks', run.tail), scheduled) == 0 then
    return
  end
  local task = load_task(run.ns, run.tail, scheduled)
  if task then
    give_back(task)
    redis.call('DEL', task.key)
  end
  count(run.ns, 'queued', -1)
end

local function remove_tasks(run)
  for _, scheduled in ipairs(redis.call('SMEMBERS', key(run.ns, 'tasks', run.tail))) do
    remove_task(run, scheduled)
  end
end
