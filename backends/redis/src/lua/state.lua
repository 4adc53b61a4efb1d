-- What decides over a run stands in one field of its row, so that a step reads and writes one: "<status>/<head>/...",
-- empty where there is nothing. `state.rs` writes the same.

local PARTS = {
  'status', 'head', 'last_at', 'token', 'owner', 'held', 'wake', 'rowless', 'dependents', 'unsettled', 'last', 'taken',
  'shown', 'door', 'queued', 'paused', 'parked', 'errands',
}
-- A pattern with a capture for each, put together by hand: a library is loaded without `string`.
local TWO = '([^/]*)/([^/]*)'
local SIX = TWO .. '/' .. TWO .. '/' .. TWO
local FORM = '^' .. SIX .. '/' .. SIX .. '/' .. SIX .. '$'

-- Puts the parts of a state into a run. Of one that somebody else's hand was at there are none.
local function read_state(state, run)
  local found = { string.match(state, FORM) }
  for place, part in ipairs(PARTS) do
    if found[place] ~= '' then
      run[part] = found[place]
    end
  end
  return run
end

local function written_state(run)
  local parts = {}
  for place, part in ipairs(PARTS) do
    parts[place] = run[part] or ''
  end
  return table.concat(parts, '/')
end
