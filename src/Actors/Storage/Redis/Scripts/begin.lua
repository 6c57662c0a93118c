-- ARGV: epoch, activation, operation, its hash, its request, how long finished operations stay in us, how many stay longer,
--   how long the grain stays
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act')
if d[1] ~= ARGV[1] or d[2] ~= ARGV[2] then
    return {'Fenced'}
end
local known = redis.call('HGET', KEYS[2], ARGV[3])
local status, epoch, hash
if known then
    status, epoch, hash = string.match(known, '^(%d) (%d+) %d+ (.*)$')
    if hash ~= ARGV[4] then
        return {'Conflict'}
    end
    if status == '1' then
        return {'Committed', redis.call('HGET', KEYS[4], ARGV[3])}
    end
    if status == '0' and epoch == ARGV[1] then
        return {'Pending'}
    end
end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
redis.call('HSET', KEYS[2], ARGV[3], '0 ' .. ARGV[1] .. ' ' .. string.format('%.0f', now) .. ' ' .. ARGV[4])
if status == '0' then
    stay(ARGV[8])
    return {'TakenOver'}
end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[5])
if known then
    stay(ARGV[8])
    return {'Begun'}
end
local number = 1 + (redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2] or 0)
redis.call('ZADD', KEYS[5], number, ARGV[3])
-- Those begun first come first: the first finished one that is young ends the search.
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', number - ARGV[7], 'LIMIT', 0, 64)) do
    local ended, _, changed = string.match(redis.call('HGET', KEYS[2], old) or '', '^([123]) (%d+) (%d+) ')
    if ended then
        if tonumber(changed) >= now - ARGV[6] then
            break
        end
        redis.call('HDEL', KEYS[2], old)
        redis.call('HDEL', KEYS[4], old)
        redis.call('ZREM', KEYS[5], old)
    end
end
stay(ARGV[8])
return {'Begun'}
