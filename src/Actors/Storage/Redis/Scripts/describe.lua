local d = redis.call('HMGET', KEYS[1], 'epoch', 'act', 'silo', 'state')
if not d[1] then
    return false
end
local m = redis.call('HMGET', KEYS[8], 'bytes', 'units')
return {d[1], d[2], d[3], redis.call('LLEN', KEYS[6]), d[4], m[1], m[2]}
