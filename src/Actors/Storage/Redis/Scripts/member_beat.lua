-- ARGV: silo, load
-- Returns outcome, run id, replication id, version. The server that counts the beat says itself who it is.
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local version = redis.call('HGET', KEYS[1], '') or '0'
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row then
    return {'Unknown', server, replication, version}
end
if string.sub(row, 1, 1) == '3' then
    return {'Dead', server, replication, version}
end
-- A full server lets a script write that began with a deletion: no silo dies of it.
redis.call('HDEL', KEYS[2], '')
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return {'Alive', server, replication, version}
