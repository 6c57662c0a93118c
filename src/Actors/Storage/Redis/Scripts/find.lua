-- ARGV: operation
return {
    redis.call('HGET', KEYS[2], ARGV[1]),
    redis.call('HGET', KEYS[3], ARGV[1]),
    redis.call('HGET', KEYS[4], ARGV[1])}
