local d = redis.call('HMGET', KEYS[1], 'epoch', 'act', 'silo', 'state')
if not d[1] then
    return false
end
local m = redis.call('HMGET', KEYS[8], 'bytes', 'units')
local log = redis.call('LRANGE', KEYS[6], 0, -1)
local pending = {}
for _, operation in ipairs(redis.call('HKEYS', KEYS[3])) do
    local number = redis.call('ZSCORE', KEYS[5], operation)
    pending[#pending + 1] = {operation, redis.call('HGET', KEYS[2], operation), number}
end
return {d[1], d[2], d[3], #log, d[4], m[1], m[2], log, redis.call('GET', KEYS[7]), pending}
