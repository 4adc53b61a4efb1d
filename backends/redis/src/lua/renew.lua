-- Registers a worker, prolongs its lease, or retires it.

redis.register_function(NAME .. 'renew', function(keys, args)
  local renewal = begin(keys, args)
  local leases, opened = TAG .. 'leases', worker_key(renewal.worker, 'opened')

  if renewal.action == 'retire' then
    if redis.call('ZSCORE', leases, renewal.worker) then
      redis.call('ZADD', leases, 0, renewal.worker)
    end
    redis.call('SET', opened, '1', 'PX', KEPT_MS)
    redis.call('DEL', worker_key(renewal.worker, 'claimed'), worker_key(renewal.worker, 'shown'))
    heard.w = true
  else
    local may_open = renewal.action == 'register' and redis.call('EXISTS', opened) == 0
    if not alive(renewal.worker) and not may_open then
      return 'lost'
    end
    redis.call('ZADD', leases, int(elapsed + renewal.lease), renewal.worker)
    if redis.call('PTTL', opened) < KEPT_MS / 2 then
      redis.call('SET', opened, '1', 'PX', KEPT_MS)
    end
  end
  return { announce(), now, stale_outboxes() }
end)
