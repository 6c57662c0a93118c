-- KEYS: the scope's index, the key that leads to the grain; the first again for none
-- ARGV: the grain's name, the time up to which its entry is known to be stale; '' for the key alone
if KEYS[2] ~= KEYS[1] and redis.call('GET', KEYS[2]) == ARGV[1] then
    redis.call('DEL', KEYS[2])
end
if ARGV[2] ~= '' then
    local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
    if seen and tonumber(seen) <= tonumber(ARGV[2]) then
        redis.call('ZREM', KEYS[1], ARGV[1])
    end
end
return 1
