-- A write that changes nothing: where beats are refused (a disk that fails, a replica), a look at them must fail too, or silos
-- would seem to have stopped. A full server lets both through.
redis.call('HDEL', KEYS[2], '')
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
return {server, replication, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
