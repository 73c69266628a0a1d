-- ARGV: user, and the fields to set. Returns 1, or 0 where there is no such user.

local old = read(next_argument())
if not old then
  return 0
end
local new = copied(old)
for name, value in pairs(next_fields()) do
  new[name] = value
end
replace(old, new)
return 1
