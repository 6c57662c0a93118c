return redis.call('HGET', KEYS[8], 'data')
