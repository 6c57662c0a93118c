-- ARGV: epoch, activation, manifest, bytes of its blobs, units that they cover
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act')
if d[1] ~= ARGV[1] or d[2] ~= ARGV[2] then
    return 'Fenced'
end
redis.call('HSET', KEYS[8], 'data', ARGV[3], 'bytes', ARGV[4], 'units', ARGV[5])
local left = redis.call('PTTL', KEYS[1])
if left > 0 then
    redis.call('PEXPIRE', KEYS[8], left)
end
return 'Done'
