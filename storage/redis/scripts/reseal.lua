-- ARGV: the number of changes; of each the user, id, the fields of its tokens as they were read, and the same fields as
-- they are to be. Returns 1 or 0 for each: whether it was written.

local NAMES = {'access_token', 'refresh_token', 'fallback_access_token', 'fallback_refresh_token'}

local function holds(row, fields)
  for _, name in ipairs(NAMES) do
    if row[name] ~= fields[name] then
      return false
    end
  end
  return true
end

local written = {}
for number = 1, tonumber(next_argument()) do
  local user, id = next_argument(), next_argument()
  local found, wanted = next_fields(), next_fields()
  local row = read(user)
  if row and row.id == id and holds(row, found) then
    redis.call('HSET', key('user', user), unpack(to_pairs(wanted)))
    written[number] = 1
  else
    written[number] = 0
  end
end
return written
