-- KEYS of the membership: table, beats, loads. A row is 'status number address description'; rows are numbered as they join.
-- ARGV: silo, status, address, description
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
    return 0
end
local version = redis.call('HINCRBY', KEYS[1], '', 1)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. version .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], 0)
return 1
