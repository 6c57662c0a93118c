-- ARGV: epoch, activation, operation ('' for none), its hash, its result, expected length, entries that stay,
--   journal bytes that stay, journal bytes that follow, state, index key, how long the grain stays,
--   entries that follow...
-- Returns outcome, length, and for the index: the key now, the key before, the time of the last change.
local d = redis.call('HMGET', KEYS[1], 'epoch', 'act', 'key', 'changed')
if d[1] ~= ARGV[1] or d[2] ~= ARGV[2] then
    return {'Fenced'}
end
local length = redis.call('LLEN', KEYS[6])
local operation = ARGV[3]
if operation ~= '' then
    local known = redis.call('HGET', KEYS[2], operation) or ''
    local status, hash = string.match(known, '^([01]) %d+ %d+ (.*)$')
    if not status then
        return {'NotBegun'}
    end
    if hash ~= ARGV[4] then
        return {'Conflict'}
    end
    if status == '1' then
        return {'Duplicate', length, d[3], '', d[4]}
    end
end
local keep, journalKeep = tonumber(ARGV[7]), tonumber(ARGV[8])
local journal = redis.call('STRLEN', KEYS[7])
if length ~= tonumber(ARGV[6]) or keep > length or journalKeep > journal then
    return {'LengthMismatch', length}
end

-- Every check is done. A full server refuses the first write or none of them.
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000000 + t[2])
redis.call('HSET', KEYS[1], 'state', ARGV[10], 'key', ARGV[11], 'changed', now)
if keep == 0 then
    redis.call('DEL', KEYS[6])
elseif keep < length then
    redis.call('LTRIM', KEYS[6], 0, keep - 1)
end
for first = 13, #ARGV, 500 do
    redis.call('RPUSH', KEYS[6], unpack(ARGV, first, math.min(first + 499, #ARGV)))
end

-- In place, so that a turn costs its own bytes; only what gets shorter is written anew.
local append = ARGV[9]
if journalKeep + #append < journal then
    local kept = journalKeep > 0 and redis.call('GETRANGE', KEYS[7], 0, journalKeep - 1) or ''
    redis.call('SET', KEYS[7], kept .. append)
elseif #append > 0 then
    redis.call('SETRANGE', KEYS[7], journalKeep, append)
end
if operation ~= '' then
    redis.call('HSET', KEYS[2], operation, '1 ' .. ARGV[1] .. ' ' .. now .. ' ' .. ARGV[4])
    redis.call('HSET', KEYS[4], operation, ARGV[5])
    redis.call('HDEL', KEYS[3], operation)
end
stay(ARGV[12])
return {'Done', keep + #ARGV - 12, ARGV[11], d[3], now}
