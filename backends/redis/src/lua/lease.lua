-- Leases: a worker has one in each partition, by the clock of the node that the partition lies on.

-- How long it is remembered that a worker ID was opened.
local KEPT_MS = 2 * 86400 * 1000

-- Runs whose errands somebody left in the middle.
local function stale_outboxes()
  local before = tonumber(server_time()) - 1000000
  return redis.call('ZRANGEBYSCORE', TAG .. 'outboxes', '-inf', int(before), 'LIMIT', 0, 10)
end
