-- ARGV: name of the credential, its sealed value as it was read, and the one to write. Returns 1 or 0: whether it was.

local name, found, wanted = next_argument(), next_argument(), next_argument()
local row = read_hash(key('credential', name))
if not row or row.sealed ~= found then
  return 0
end
redis.call('HSET', key('credential', name), 'sealed', wanted)
return 1
