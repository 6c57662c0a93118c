-- ARGV: how long the tombstone stays, in ms
-- It begins by freeing memory, so that a full server does not refuse it.
local d = redis.call('HMGET', KEYS[1], 'epoch', 'key')
if not d[1] then
    return false
end
local t = redis.call('TIME')
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
-- The manifest says which blobs have to go; the caller clears it.
redis.call('PEXPIRE', KEYS[8], ARGV[1])
redis.call('SET', KEYS[9], '', 'PX', ARGV[1])
return {d[2], string.format('%.0f', t[1] * 1000000 + t[2])}
