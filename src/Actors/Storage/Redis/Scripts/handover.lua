-- ARGV: epoch, activation, the new owner's silo and activation, a pending operation that it goes on with ('' for none)
if redis.call('EXISTS', KEYS[9]) == 1 then
    return {'Deleted'}
end
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act', 'silo')
if d[1] ~= ARGV[1] or d[2] ~= ARGV[2] then
    return {'Fenced'}
end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'act', ARGV[4], 'silo', ARGV[3])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local known = ARGV[5] ~= '' and redis.call('HGET', KEYS[2], ARGV[5])
local rest = known and string.match(known, '^0 %d+ (.*)$')
if rest then
    redis.call('HSET', KEYS[2], ARGV[5], '0 ' .. epoch .. ' ' .. rest)
end
return {'Acquired', epoch, d[3]}
