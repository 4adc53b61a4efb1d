-- Histories: a list of records, "<token>/<first event>/<events>/<time>/<bytes>".

local function span(record)
  local first, count = string.match(record, '^%d+/(%d+)/(%d+)/')
  return tonumber(first), tonumber(count)
end

-- The place of the record that holds an event, and the record; none if the history ends before. What is asked for is
-- most often the last.
local function find_record(records, event)
  local low, high = 0, redis.call('LLEN', records) - 1
  local middle = high
  while low <= high do
    local record = redis.call('LINDEX', records, middle)
    local first, count = span(record)
    if event < first then
      high = middle - 1
    elseif event >= first + count then
      low = middle + 1
    else
      return middle, record
    end
    middle = math.floor((low + high) / 2)
  end
end
