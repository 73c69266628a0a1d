-- ARGV: name of the credential, owner, ttl in seconds, and the fields of one that is new. Returns its fields, or nil.

local name, owner, ttl = next_argument(), next_argument(), next_argument()
local row = read_hash(key('credential', name)) or next_fields()
local now = now_ms()
if is_leased(row, now) then
  return false
end
row.lease_owner, row.lease_until = owner, whole(now + tonumber(ttl) * 1000)
raise_version(row)
redis.call('SADD', key('credentials'), name)
redis.call('HSET', key('credential', name), unpack(to_pairs(row)))
return to_pairs(row)
