-- ARGV: how many of the dead stay
local dead = {}
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
    local number = string.match(rows[i + 1], '^3 (%d+) ')
    if number then
        dead[#dead + 1] = {silo = rows[i], number = tonumber(number)}
    end
end
table.sort(dead, function(a, b) return a.number > b.number end)
for i = ARGV[1] + 1, #dead do
    redis.call('HDEL', KEYS[1], dead[i].silo)
    redis.call('HDEL', KEYS[2], dead[i].silo)
    redis.call('HDEL', KEYS[3], dead[i].silo)
    redis.call('HINCRBY', KEYS[1], '', 1)
end
return 1
