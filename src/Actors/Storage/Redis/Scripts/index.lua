-- KEYS: the scope's index, the key that leads to the grain now, the one that did before; the first again for none
-- ARGV: the grain's name, the time of its change
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
if seen and tonumber(seen) > tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if KEYS[2] ~= KEYS[1] then
    redis.call('SET', KEYS[2], ARGV[1])
end
if KEYS[3] ~= KEYS[1] and KEYS[3] ~= KEYS[2] and redis.call('GET', KEYS[3]) == ARGV[1] then
    redis.call('DEL', KEYS[3])
end
return 1
