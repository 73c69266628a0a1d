-- ARGV: the number of grants, the fields of each; the number of counts, hour, what and number of each; then `kept`, or
-- `removed` for a probe, whose grants are nobody's and are taken away again.

local KEPT = {'id', 'first_authorized_at', 'nickname', 'avatar_url', 'profile_at', 'external_id'}
local ALWAYS_TAKEN = {
  'code_digest', 'code_binding', 'code_scope', 'code_unionid', 'code_is_snapshotuser', 'authorized_at', 'last_used_at'
}

local function is_wide(scope)
  return string.find(',' .. string.gsub(scope, '%s', ',') .. ',', ',snsapi_userinfo,', 1, true) ~= nil
end

-- Tells whether a stored authorization is wider than the grant, and alive.
local function outlives(old, grant)
  return old.status == 'active'
    and tonumber(old.refresh_expires_at) > tonumber(grant.authorized_at)
    and is_wide(old.scope)
    and not is_wide(grant.scope)
end

local function replaced(old, grant)
  local new = copied(grant)
  new.status, new.refresh_failures = 'active', '0'
  for _, name in ipairs(KEPT) do
    new[name] = old[name]
  end
  new.unionid = unionid_after(old, grant.unionid, grant.is_snapshotuser)
  new.version = old.version
  raise_version(new)
  return new
end

local function granted(old, grant)
  if not old then
    local id = whole(redis.call('INCR', key('last_id')))
    return replaced({id = id, version = '0', first_authorized_at = grant.authorized_at}, grant)
  end
  if not outlives(old, grant) then
    return replaced(old, grant)
  end
  local new = copied(old)
  for _, name in ipairs(ALWAYS_TAKEN) do
    new[name] = grant[name]
  end
  for _, name in ipairs(FALLBACK) do
    new['fallback_' .. name] = grant[name]
  end
  return new
end

redis.call('SET', key('layout'), '2', 'NX')
local saved, counted = {}, {}
for number = 1, tonumber(next_argument()) do
  local grant = next_fields()
  local old = read(user_of(grant))
  saved[number] = granted(old, grant)
  replace(old, saved[number])
end
for number = 1, tonumber(next_argument()) do
  counted[number] = {next_argument(), next_argument()}
  count(counted[number][1], counted[number][2], next_argument())
end
if next_argument() == 'removed' then
  for _, row in ipairs(saved) do
    replace(row, nil)
    redis.call('SREM', key('appids'), row.appid)
  end
  for _, one in ipairs(counted) do
    redis.call('HDEL', key('activity', one[1]), one[2])
    if redis.call('EXISTS', key('activity', one[1])) == 0 then
      redis.call('ZREM', key('hours'), one[1])
    end
  end
end
