-- ARGV: appid, owner, limit, ttl in seconds, due_at. Returns rows, the longest due first.

local appid, owner, limit, ttl, due_at = unpack(ARGV)
local now = now_ms()

-- Leases that have ended are due again. Not all at once where many have: a script holds up everybody else.
local ENDED_AT_ONCE = 1000
local function end_leases(from, to)
  for _, user in ipairs(redis.call('ZRANGEBYSCORE', key('leased', appid), from, to, 'LIMIT', 0, ENDED_AT_ONCE)) do
    local old = read(user)
    local new = copied(old)
    end_lease(new)
    replace(old, new)
  end
end
end_leases('-inf', now)
end_leases('(' .. whole(now + LONGEST_LEASE), '+inf')

local rows = {}
for _, user in ipairs(redis.call('ZRANGEBYSCORE', key('due', appid), '-inf', due_at, 'LIMIT', 0, limit)) do
  rows[#rows + 1] = claim(user, owner, ttl, now)
end
return rows
