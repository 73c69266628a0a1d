-- ARGV: name of the credential, version and owner of the lease, 1 if that ends, the fields to write, the number of
-- fields to clear, and their names. Returns 1 or 0: whether it was written.

local name, version, owner, ends_lease = next_argument(), next_argument(), next_argument(), next_argument()
local row = read_hash(key('credential', name))
if not row or row.version ~= version or row.lease_owner ~= owner then
  return 0
end
local fields = next_fields()
if next(fields) then
  redis.call('HSET', key('credential', name), unpack(to_pairs(fields)))
end
for _ = 1, tonumber(next_argument()) do
  redis.call('HDEL', key('credential', name), next_argument())
end
if ends_lease == '1' then
  redis.call('HDEL', key('credential', name), 'lease_owner', 'lease_until')
end
return 1
