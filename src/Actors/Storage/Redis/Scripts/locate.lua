return redis.call('HMGET', KEYS[1], 'epoch', 'act', 'silo')
