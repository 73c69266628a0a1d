-- ARGV: the number of changes; of each the user, id, both tokens as they were read, and both as they are to be.
-- Returns 1 or 0 for each: whether it was written.

local written = {}
for number = 1, tonumber(next_argument()) do
  local user, id = next_argument(), next_argument()
  local access_token, refresh_token = next_argument(), next_argument()
  local new_access_token, new_refresh_token = next_argument(), next_argument()
  local row = read(user)
  if row and row.id == id and row.access_token == access_token and row.refresh_token == refresh_token then
    redis.call('HSET', key('user', user), 'access_token', new_access_token, 'refresh_token', new_refresh_token)
    written[number] = 1
  else
    written[number] = 0
  end
end
return written
