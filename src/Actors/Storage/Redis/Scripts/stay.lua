-- Goes before the scripts after which a grain stays longer: all its keys end at one moment, so that it is there whole or not at all.
-- age: in ms how long it stays from now on; '0' for ever.
local function stay(age)
    if age ~= '0' then
        local t = redis.call('TIME')
        local ends = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000) + age)
        for i = 1, 8 do
            redis.call('PEXPIREAT', KEYS[i], ends)
        end
    elseif redis.call('PTTL', KEYS[1]) >= 0 then
        for i = 1, 8 do
            redis.call('PERSIST', KEYS[i])
        end
    end
end

