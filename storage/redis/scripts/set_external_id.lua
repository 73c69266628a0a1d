-- ARGV: user, and by what a backend knows them; empty forgets it. Returns 1, or 0 where there is no such user.

local old = read(ARGV[1])
if not old then
  return 0
end
local new = copied(old)
new.external_id = ARGV[2] ~= '' and ARGV[2] or nil
replace(old, new)
return 1
