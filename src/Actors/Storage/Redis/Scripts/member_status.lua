-- ARGV: silo, status, the beat that it must still have ('' for any)
local row = redis.call('HGET', KEYS[1], ARGV[1])
local status, rest = string.match(row or '', '^(%d)( .*)$')
if not status or status >= ARGV[2] then
    return 0
end
-- A silo that never beat stands at 0.
if ARGV[3] ~= '' and (redis.call('HGET', KEYS[2], ARGV[1]) or '0') ~= ARGV[3] then
    return 0
end
-- A full server lets a script write that began with a deletion.
redis.call('HDEL', KEYS[2], '')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. rest)
redis.call('HINCRBY', KEYS[1], '', 1)
return 1
