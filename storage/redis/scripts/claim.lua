-- ARGV: user, owner, ttl in seconds. Returns the row, or nil.

local row = claim(ARGV[1], ARGV[2], ARGV[3], now_ms())
return row or false
