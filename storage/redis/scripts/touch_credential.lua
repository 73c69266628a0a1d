-- ARGV: name of the credential, and when it was used.

local name, used_at = next_argument(), next_argument()
local row = read_hash(key('credential', name))
if row and tonumber(row.last_used_at) < tonumber(used_at) then
  redis.call('HSET', key('credential', name), 'last_used_at', used_at)
end
