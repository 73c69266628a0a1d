-- ARGV: the number of outcomes; of each the kind, user, id, version and owner of its lease, hour and what to count
-- (empty where nothing is), what to count where a fallback takes over, and its fields. Returns 1 or 0 for each: whether
-- it was written.

local CLEARED = {'last_error_code', 'last_error_kind', 'last_error_at'}

local function clear_failure(row)
  for _, name in ipairs(CLEARED) do
    row[name] = nil
  end
  row.refresh_failures = '0'
end

-- Tells whether a fallback takes over: the grant before it is rejected, and its own refresh token has not ended.
local function is_succeeded(old, kind, fields)
  return kind == 'Rejected'
    and old.fallback_refresh_expires_at ~= nil
    and tonumber(old.fallback_refresh_expires_at) > tonumber(fields.last_error_at)
end

local function succeeded(old, at)
  local new = copied(old)
  end_lease(new)
  for _, name in ipairs(FALLBACK) do
    new[name] = old['fallback_' .. name]
  end
  new.unionid = unionid_after(old, old.fallback_unionid, old.fallback_is_snapshotuser)
  drop_fallback(new)
  clear_failure(new)
  new.refreshed_at = nil
  new.next_refresh_at = old.next_refresh_at and at
  return new
end

local function settled(old, kind, fields)
  local new = copied(old)
  end_lease(new)
  if kind == 'Refreshed' then
    clear_failure(new)
  elseif kind == 'Rejected' or kind == 'Failed' then
    new.last_error_code = nil
    new.refresh_failures = whole(tonumber(old.refresh_failures) + 1)
  end
  if kind ~= 'Released' then
    new.next_refresh_at = nil
  end
  if kind == 'Rejected' then
    new.status = 'reauthorization_required'
    drop_fallback(new)
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
  local hour, what, what_if_succeeded = next_argument(), next_argument(), next_argument()
  local fields = next_fields()
  local old = read(user)
  if old and old.id == id and old.version == version and old.lease_owner == owner then
    if is_succeeded(old, kind, fields) then
      replace(old, succeeded(old, fields.last_error_at))
      what = what_if_succeeded
    else
      replace(old, settled(old, kind, fields))
    end
    if hour ~= '' then
      count(hour, what, 1)
    end
    written[number] = 1
  else
    written[number] = 0
  end
end
return written
