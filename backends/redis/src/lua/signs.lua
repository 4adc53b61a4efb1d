-- Signs of life: the process of a worker that says so listens on a channel of the worker's own.

redis.register_function(NAME .. 'signs', function(keys, args)
  local asked = begin(keys, args)
  for _, worker in ipairs(asked.shown) do
    local shown = worker_key(worker, 'shown')
    if redis.call('PTTL', shown) < KEPT_MS / 2 then
      redis.call('SET', shown, '1', 'PX', KEPT_MS)
    end
  end
  local away = {}
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', TAG .. 'leases', '(' .. int(elapsed), '+inf')) do
    local listens = redis.call('PUBSUB', 'NUMSUB', asked.channel .. worker)
    if listens[2] == 0 and redis.call('EXISTS', worker_key(worker, 'shown')) == 1 then
      away[#away + 1] = worker
    end
  end
  local uptime = asked.is_first and string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)') or ''
  return { away, uptime }
end)
