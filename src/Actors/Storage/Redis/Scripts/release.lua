-- ARGV: epoch, activation
-- It frees memory, so that a full server does not refuse it.
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act')
if d[1] ~= ARGV[1] or d[2] ~= ARGV[2] then
    return 'Fenced'
end
redis.call('HDEL', KEYS[1], 'act')
return 'Done'
