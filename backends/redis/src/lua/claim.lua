-- Claims: what a worker gets of one partition.

-- The most that one claim moves of what dead workers left; the next goes on.
local BURIED_MAX = 1000

-- What is asked, by whom, where its last answer is kept, and when something is due that was not yet.
local claim, worker, claimed_key, next_due

-- Puts what a dead worker held where claims find it; answers whether that was all.
local function bury(dead, room)
  for _, ref in ipairs(redis.call('SPOP', worker_key(dead, 'held'), room)) do
    local run = load(split(ref))
    if run and not run.is_torn then
      set(run, 'held', nil)
      requeue(run)
    end
    room = room - 1
  end
  for _, ref in ipairs(room > 0 and redis.call('SPOP', worker_key(dead, 'running'), room) or {}) do
    local ns, rest = split(ref)
    local scheduled, tail = string.match(rest, '^(%d+)/(.*)$')
    local task = load_task(ns, tail, scheduled)
    if task then
      redis.call('HDEL', task.key, 'held')
      offer(task, AT_ONCE)
    end
    room = room - 1
  end
  if room > 0 then
    redis.call('ZREM', TAG .. 'leases', dead)
    redis.call('DEL', worker_key(dead, 'unread'), worker_key(dead, 'claimed'))
  end
  return room
end

local function bury_all()
  local room = BURIED_MAX
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', TAG .. 'leases', '-inf', int(elapsed), 'LIMIT', 0, 100)) do
    if room > 0 then
      room = bury(dead, room)
    end
  end
  return room > 0
end

-- What is due in these sorted sets, the oldest first.
local function due(sets, max)
  local found = {}
  if max > 0 then
    for _, set_key in ipairs(sets) do
      local part = redis.call('ZRANGEBYSCORE', set_key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, max)
      for place = 1, #part, 2 do
        found[#found + 1] = { part[place], part[place + 1] }
      end
    end
    table.sort(found, function(one, other)
      local first, second = tonumber(one[2]), tonumber(other[2])
      return first < second or (first == second and one[1] < other[1])
    end)
    for place = max + 1, #found do
      found[place] = nil
    end
  end
  return found
end

-- Looks for the next one that lies ahead, whose exact time is read from its row.
local function look_ahead(sets, time_of_member)
  for _, set_key in ipairs(sets) do
    local member = redis.call('ZRANGEBYSCORE', set_key, '(' .. now, '+inf', 'LIMIT', 0, 1)[1]
    local at = member and time_of_member(member)
    if at and (not next_due or earlier(at, next_due)) then
      next_due = at
    end
  end
end

local function run_sets()
  local served = {}
  for _, workflow in ipairs(claim.workflows) do
    served[workflow] = true
  end
  local index, sets = TAG .. claim.ns .. 'queue/' .. claim.queue, {}
  for _, kind in ipairs(redis.call('SMEMBERS', index)) do
    local version, semantics, name = string.match(kind, '^(%d+)/(%d+)/(.*)$')
    if served[version .. '/' .. name] and tonumber(semantics) <= claim.semantics then
      sets[#sets + 1] = index .. '/' .. kind
    end
  end
  return sets
end

local function task_sets(group)
  local sets = {}
  for place, name in ipairs(group.names) do
    sets[place] = key(claim.ns, 'activities', claim.queue .. '/' .. name)
  end
  return sets
end

-- What came for runs that the worker held before this claim, each message once.
local function take_unread()
  local taken = {}
  for _, ref in ipairs(redis.call('SMEMBERS', worker_key(worker, 'unread'))) do
    local run = load(split(ref))
    local ends = run and not run.is_torn and inbox_end(run)
    if ends and ends > tonumber(run.shown) then
      taken[#taken + 1] = { ref, run.token, tonumber(run.shown), ends }
      set(run, 'shown', int(ends))
    end
  end
  redis.call('DEL', worker_key(worker, 'unread'))
  return taken
end

-- Takes what has no row any more, or a torn one, out of where it was found.
local function strike(sets, member)
  for _, set_key in ipairs(sets) do
    redis.call('ZREM', set_key, member)
  end
end

local function take_runs(sets)
  local taken = {}
  for _, found in ipairs(due(sets, claim.runs)) do
    local run = load(claim.ns, found[1])
    if run and not run.is_torn then
      set(run, 'token', int(tonumber(run.token) + 1))
      set(run, 'door', nil)
      set(run, 'shown', run.last)
      hold(run, worker)
      taken[#taken + 1] = { found[1], run.token, tonumber(run.last), found[2] }
    else
      strike(sets, found[1])
    end
  end
  return taken
end

-- Takes a task; answers whether a dead worker had it before.
local function take_task(task)
  local taken_over = task.worker and 1 or 0
  if taken_over == 1 then
    task.attempt = int(math.min(tonumber(task.attempt) + 1, 4294967295))
    redis.call('HSET', task.key, 'attempt', task.attempt)
  end
  withdraw(task)
  run_by(task, worker)
  return taken_over
end

local function take_tasks(sets, max)
  local taken = {}
  for _, found in ipairs(due(sets, max)) do
    local scheduled, tail = string.match(found[1], '^(%d+)/(.*)$')
    local task = load_task(claim.ns, tail, scheduled)
    if task then
      local taken_over = take_task(task)
      taken[#taken + 1] = { scheduled, tail, task.attempt, taken_over, found[2] }
    else
      strike(sets, found[1])
    end
  end
  return taken
end

-- What was taken, in full. Told again it is the same; what its worker has lost meanwhile is left out.
local function tell(taken)
  local unread, runs, groups = {}, {}, {}
  for _, one in ipairs(taken.unread) do
    local run = load(split(one[1]))
    if run and run.token == one[2] then
      unread[#unread + 1] = { one[1], one[2], int(one[3]), between(run, one[3], one[4]) }
    end
  end
  for _, one in ipairs(taken.runs) do
    local run = load(taken.ns, one[1])
    if run and run.token == one[2] then
      local failure = redis.call('HGET', key(run.ns, 'run', run.tail), 'failure')
      runs[#runs + 1] = {
        one[4], run.tail, run.token, run.kind, run.head, run.taken, run.rowless or false, failure, run.unsettled or false,
        between(run, tonumber(run.taken), one[3]),
      }
    end
  end
  for place, group in ipairs(taken.groups) do
    groups[place] = {}
    for _, one in ipairs(group) do
      local row = redis.call('HMGET', task_key(taken.ns, one[2], one[1]), 'worker', 'attempt', 'activity', 'call',
        'close_by', 'failure', 'details', 'cancel', 'deferred')
      if row[1] == worker and row[2] == one[3] then
        table.insert(groups[place], {
          one[5], one[2], one[1], one[3], one[4], row[3], row[4], row[5], row[6], row[7], row[8], row[9],
        })
      end
    end
  end
  return { 'claimed', taken.now, taken.next_due or false, unread, runs, groups, stale_outboxes() }
end

redis.register_function(NAME .. 'claim', function(keys, args)
  claim = begin(keys, args)
  worker, next_due = claim.worker, nil
  claimed_key = worker_key(worker, 'claimed')
  if not alive(worker) then
    return { 'lost' }
  end
  if claim.number then
    local before = redis.call('GET', claimed_key)
    before = before and cmsgpack.unpack(before)
    if before and before.number == claim.number then
      return claim.peek and { 'peeked', 1, {}, {} } or tell(before)
    end
  end
  local all_buried = bury_all()
  local sets = run_sets()
  look_ahead(sets, function(tail)
    local run = load(claim.ns, tail)
    return run and run.wake
  end)
  local groups = {}
  for place, group in ipairs(claim.groups) do
    groups[place] = task_sets(group)
    look_ahead(groups[place], function(member)
      return redis.call('HGET', key(claim.ns, 'task', member), 'visible')
    end)
  end
  if not all_buried then
    next_due = now
  end
  if claim.peek then
    local function scores(found)
      local all = {}
      for place, one in ipairs(found) do
        all[place] = one[2]
      end
      return all
    end
    local tasks = {}
    for place, group in ipairs(claim.groups) do
      tasks[place] = scores(due(groups[place], group.max))
    end
    flush()
    tidy()
    local has_unread = redis.call('EXISTS', worker_key(worker, 'unread'))
    return { 'peeked', has_unread, scores(due(sets, claim.runs)), tasks, now, next_due or false, stale_outboxes() }
  end
  local taken = { number = claim.number, now = now, next_due = next_due, ns = claim.ns, groups = {} }
  taken.unread = take_unread()
  taken.runs = take_runs(sets)
  local is_empty = #taken.unread == 0 and #taken.runs == 0
  for place, group in ipairs(claim.groups) do
    taken.groups[place] = take_tasks(groups[place], group.max)
    is_empty = is_empty and #taken.groups[place] == 0
  end
  flush()
  tidy()
  if claim.number and not is_empty then
    redis.call('SET', claimed_key, cmsgpack.pack(taken))
  end
  return tell(taken)
end)
