-- ARGV: user. Returns 1, or 0 where there is no such user.

local old = read(ARGV[1])
if not old then
  return 0
end
replace(old, nil)
return 1
