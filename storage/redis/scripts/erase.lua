-- ARGV: user, and a moment or nothing. Returns 1, or 0 where nobody is known who authorized before that moment.

local old = read(ARGV[1])
if not old or (ARGV[2] ~= '' and tonumber(old.authorized_at) >= tonumber(ARGV[2])) then
  return 0
end
replace(old, nil)
return 1
