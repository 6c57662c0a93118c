-- KEYS: the scope's index, the key that leads to the grain now, the one that did before; the first again for none
-- ARGV: the grain's name, the time of its change in us, how long grains stay in ms ('0' for ever)
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
if seen and tonumber(seen) > tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if ARGV[3] ~= '0' then
    -- Twice as long: a grain in which turns only begin is younger than its entry.
    redis.call('PEXPIRE', KEYS[1], 2 * ARGV[3])
    local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2] - 2000 * ARGV[3], 'LIMIT', 0, 64)
    if #gone > 0 then
        redis.call('ZREM', KEYS[1], unpack(gone))
    end
else
    redis.call('PERSIST', KEYS[1])
end
if KEYS[2] ~= KEYS[1] then
    redis.call('SET', KEYS[2], ARGV[1])
    if ARGV[3] ~= '0' then
        redis.call('PEXPIRE', KEYS[2], ARGV[3])
    end
end
if KEYS[3] ~= KEYS[1] and KEYS[3] ~= KEYS[2] and redis.call('GET', KEYS[3]) == ARGV[1] then
    redis.call('DEL', KEYS[3])
end
return 1
