-- What a partition is, and what happens to it when its node was a replica before.

-- Leases of before a failover say nothing: what a worker gave up may have come back to it. So all are over, once.
local function end_leases(meta, epoch)
  if redis.call('HGET', meta, 'epoch') == epoch then
    return
  end
  for _, worker in ipairs(redis.call('ZRANGE', TAG .. 'leases', 0, -1)) do
    redis.call('ZADD', TAG .. 'leases', 0, worker)
  end
  redis.call('HSET', meta, 'epoch', epoch)
end

redis.register_function(NAME .. 'schema', function(keys, args)
  local asked = begin(keys, args)
  local meta = TAG .. 'schema'
  if asked.epoch then
    if redis.call('EXISTS', meta) == 1 then
      end_leases(meta, asked.epoch)
    end
    return {}
  end
  if redis.call('HSETNX', meta, 'version', asked.version) == 1 then
    redis.call('HSET', meta, 'partitions', asked.partitions)
  end
  return redis.call('HMGET', meta, 'version', 'partitions')
end)
