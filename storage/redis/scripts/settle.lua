-- ARGV: the number of outcomes; of each the kind, user, id, version and owner of its lease, hour and what to count
-- (empty where nothing is), and its fields. Returns 1 or 0 for each: whether it was written.

local CLEARED = {'last_error_code', 'last_error_kind', 'last_error_at'}

local function settled(old, kind, fields)
  local new = copied(old)
  end_lease(new)
  if kind == 'Refreshed' then
    for _, name in ipairs(CLEARED) do
      new[name] = nil
    end
    new.refresh_failures = '0'
  elseif kind == 'Rejected' or kind == 'Failed' then
    new.last_error_code = nil
    new.refresh_failures = whole(tonumber(old.refresh_failures) + 1)
  end
  if kind ~= 'Released' then
    new.next_refresh_at = nil
  end
  if kind == 'Rejected' then
    new.status = 'reauthorization_required'
  end
  for name, value in pairs(fields) do
    new[name] = value
  end
  return new
end

local written = {}
for number = 1, tonumber(next_argument()) do
  local kind, user = next_argument(), next_argument()
  local id, version, owner = next_argument(), next_argument(), next_argument()
  local hour, what = next_argument(), next_argument()
  local fields = next_fields()
  local old = read(user)
  if old and old.id == id and old.version == version and old.lease_owner == owner then
    replace(old, settled(old, kind, fields))
    if hour ~= '' then
      count(hour, what, 1)
    end
    written[number] = 1
  else
    written[number] = 0
  end
end
return written
