-- What every script begins with: rows, and where a row is listed.
--
-- A row is a hash `user:<appid>|<openid>`; a field that is NULL is not there. Everything else follows from the rows, and
-- is brought up to date by `replace` alone:
--   by_id:<appid>:<status>  sorted set, all scores 0: `<id>:<user>`
--   due:<appid>             sorted set of users to refresh, by next_refresh_at, those leased left out
--   leased:<appid>          sorted set of users to refresh that are leased, by the lease's end
--   code:<digest>           the user whose code it was
--   unionid:<unionid>       set of users
--   external_id:<id>        set of users
--   appids                  set
-- Accounts' own credentials are hashes `credential:<appid>|<kind>`, and `credentials` is the set of their names.
-- Ids in the names of members have a fixed width, so that they sort as numbers.

local prefix = KEYS[1]
-- `storage.leases.LONGEST_LEASE_SECONDS`, in milliseconds.
local LONGEST_LEASE = 600 * 1000

local function key(...)
  return prefix .. table.concat({...}, ':')
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Lua would write large numbers as 1.8e+09.
local function whole(number)
  return string.format('%.0f', number)
end

local function padded(number)
  return string.format('%016.0f', tonumber(number))
end

-- Turns {name, value, name, value, …}, from position `from` on, into a table.
local function from_pairs(flat, from, count)
  local row = {}
  for position = from, from + 2 * count - 2, 2 do
    row[flat[position]] = flat[position + 1]
  end
  return row
end

local function to_pairs(row)
  local flat = {}
  for name, value in pairs(row) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  return flat
end

local function read_hash(name)
  local flat = redis.call('HGETALL', name)
  if #flat == 0 then
    return nil
  end
  return from_pairs(flat, 1, #flat / 2)
end

local function read(user)
  return read_hash(key('user', user))
end

local function copied(row)
  local copy = {}
  for name, value in pairs(row) do
    copy[name] = value
  end
  return copy
end

local function user_of(row)
  return row.appid .. '|' .. row.openid
end

local function unlist(row)
  local user = user_of(row)
  redis.call('ZREM', key('by_id', row.appid, row.status), padded(row.id) .. ':' .. user)
  redis.call('ZREM', key('due', row.appid), user)
  redis.call('ZREM', key('leased', row.appid), user)
  if row.unionid then
    redis.call('SREM', key('unionid', row.unionid), user)
  end
  if row.external_id then
    redis.call('SREM', key('external_id', row.external_id), user)
  end
  if row.code_digest and redis.call('GET', key('code', row.code_digest)) == user then
    redis.call('DEL', key('code', row.code_digest))
  end
end

local function list(row)
  local user = user_of(row)
  redis.call('SADD', key('appids'), row.appid)
  redis.call('ZADD', key('by_id', row.appid, row.status), 0, padded(row.id) .. ':' .. user)
  local is_scheduled = row.status == 'active' and row.next_refresh_at
  if is_scheduled and row.lease_owner then
    redis.call('ZADD', key('leased', row.appid), row.lease_until, user)
  elseif is_scheduled then
    redis.call('ZADD', key('due', row.appid), row.next_refresh_at, user)
  end
  if row.unionid then
    redis.call('SADD', key('unionid', row.unionid), user)
  end
  if row.external_id then
    redis.call('SADD', key('external_id', row.external_id), user)
  end
  if row.code_digest then
    redis.call('SET', key('code', row.code_digest), user)
  end
end

-- Puts a row in the place of another; either may be nil.
local function replace(old, new)
  if old then
    unlist(old)
    redis.call('DEL', key('user', user_of(old)))
  end
  if new then
    redis.call('HSET', key('user', user_of(new)), unpack(to_pairs(new)))
    list(new)
  end
end

local function end_lease(row)
  row.lease_owner, row.lease_until = nil, nil
end

-- What a row holds of a grant that is held beside a wide one, each in the field of this name after `fallback_`.
local FALLBACK = {
  'scope', 'access_token', 'refresh_token', 'expires_at', 'refresh_expires_at', 'unionid', 'is_snapshotuser'
}

local function drop_fallback(row)
  for _, name in ipairs(FALLBACK) do
    row['fallback_' .. name] = nil
  end
end

-- The unionid that a grant leaves: where it brings none the old one stays, unless it is of the other kind of user.
local function unionid_after(old, unionid, is_snapshotuser)
  if unionid then
    return unionid
  end
  return old.is_snapshotuser == is_snapshotuser and old.unionid or nil
end

local function raise_version(row)
  row.version = whole(tonumber(row.version) + 1)
end

-- Tells whether somebody has the lease of a row. One of more time than any is given was given before this server's clock
-- was set back.
local function is_leased(row, now)
  local left = row.lease_owner and tonumber(row.lease_until) - now or 0
  return left > 0 and left <= LONGEST_LEASE
end

-- Leases a row, if it is active and nobody has it; returns the row as it is then, or nil.
local function claim(user, owner, ttl, now)
  local old = read(user)
  if not old or old.status ~= 'active' or is_leased(old, now) then
    return nil
  end
  local new = copied(old)
  new.lease_owner, new.lease_until = owner, whole(now + tonumber(ttl) * 1000)
  raise_version(new)
  replace(old, new)
  return to_pairs(new)
end

-- Adds to the count of what happened: `what` is `<appid>|<kind>|<errcode>`.
local function count(hour, what, number)
  redis.call('ZADD', key('hours'), hour, hour)
  redis.call('HINCRBY', key('activity', hour), what, number)
end

-- Takes the arguments one after the other.
local position = 0

local function next_argument()
  position = position + 1
  return ARGV[position]
end

local function next_fields()
  local fields = tonumber(next_argument())
  local row = from_pairs(ARGV, position + 1, fields)
  position = position + 2 * fields
  return row
end

