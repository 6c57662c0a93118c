-- ARGV: epoch, activation, operation, status
-- It frees memory first, so that a full server does not refuse it.
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act')
if d[1] ~= ARGV[1] or d[2] ~= ARGV[2] then
    return 'Fenced'
end
local hash = string.match(redis.call('HGET', KEYS[2], ARGV[3]) or '', '^0 %d+ %d+ (.*)$')
if not hash then
    return 'NotFound'
end
local t = redis.call('TIME')
redis.call('HDEL', KEYS[3], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[3],
    ARGV[4] .. ' ' .. ARGV[1] .. ' ' .. string.format('%.0f', t[1] * 1000000 + t[2]) .. ' ' .. hash)
return 'Done'
