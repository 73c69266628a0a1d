-- ARGV: user. Returns 1, or 0 where there is no such user.

local old = read(ARGV[1])
if not old then
  return 0
end
local new = copied(old)
new.status, new.access_token, new.refresh_token = 'revoked', '', ''
new.next_refresh_at, new.code_digest, new.code_binding, new.code_unionid = nil, nil, nil, nil
drop_fallback(new)
end_lease(new)
raise_version(new)
replace(old, new)
return 1
