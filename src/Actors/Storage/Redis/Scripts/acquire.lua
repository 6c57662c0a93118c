-- ARGV: silo, activation, the previous activation that the caller knows to be gone ('' for none), how long a new one stays
if redis.call('EXISTS', KEYS[9]) == 1 then
    return {'Deleted'}
end
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act', 'silo')
if d[2] and d[2] ~= ARGV[3] then
    return {'Owned', d[1], d[3], d[2]}
end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'act', ARGV[2], 'silo', ARGV[1])
local new = ''
if not d[1] then
    local t = redis.call('TIME')
    new = string.format('%.0f', t[1] * 1000000 + t[2])
    redis.call('HSET', KEYS[1], 'changed', new)
    stay(ARGV[4])
end
return {'Acquired', redis.call('HGET', KEYS[1], 'epoch'), d[3], new}
