-- ARGV: the number of uses; of each the user, used_at, and next_refresh_at or nothing.

for _ = 1, tonumber(next_argument()) do
  local user, used_at, next_refresh_at = next_argument(), next_argument(), next_argument()
  local old = read(user)
  if old then
    local new = copied(old)
    if tonumber(used_at) > tonumber(old.last_used_at) then
      new.last_used_at = used_at
    end
    if not old.next_refresh_at and old.status == 'active' and next_refresh_at ~= '' then
      new.next_refresh_at = next_refresh_at
    end
    replace(old, new)
  end
end
