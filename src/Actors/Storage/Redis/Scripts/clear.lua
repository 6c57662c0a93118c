return redis.call('UNLINK', KEYS[8])
