-- ARGV: how many users to change at most. Returns 1 when the data have layout 2, 0 when there are more users to change.
--
-- From layout 1: `needs_reauthorization` is called `reauthorization_required`, `reauthorization_needed` among the counts
-- is so too, and nothing is listed by `authorized_at`.

local OLD, NEW = 'needs_reauthorization', 'reauthorization_required'
local OLD_KIND = '|reauthorization_needed|'

local limit = tonumber(ARGV[1])
local appids = redis.call('SMEMBERS', key('appids'))

for _, appid in ipairs(appids) do
  local members = redis.call('ZRANGE', key('by_id', appid, OLD), 0, limit - 1)
  for _, member in ipairs(members) do
    redis.call('ZREM', key('by_id', appid, OLD), member)
    redis.call('ZADD', key('by_id', appid, NEW), 0, member)
    redis.call('HSET', key('user', string.match(member, '^%d+:(.*)$')), 'status', NEW)
  end
  limit = limit - #members
  if limit <= 0 then
    return 0
  end
end

for _, appid in ipairs(appids) do
  for _, status in ipairs({'active', OLD, 'revoked'}) do
    redis.call('UNLINK', key('by_authorized_at', appid, status))
  end
end
for _, hour in ipairs(redis.call('ZRANGE', key('hours'), 0, -1)) do
  for _, name in ipairs(redis.call('HKEYS', key('activity', hour))) do
    local first, last = string.find(name, OLD_KIND, 1, true)
    if first then
      local renamed = string.sub(name, 1, first) .. NEW .. string.sub(name, last)
      redis.call('HINCRBY', key('activity', hour), renamed, redis.call('HGET', key('activity', hour), name))
      redis.call('HDEL', key('activity', hour), name)
    end
  end
end
redis.call('SET', key('layout'), '2')
return 1
