-- Moves one message from a former name to the name of now, atomically.  ARGV: operation, then its arguments.
-- Each answers 1, or 0 where the message is not there any more.

local operations = {}

-- former list, list, message: a list is taken from at its right end, and so is searched from there.
function operations.waiting(former, now, message)
    if redis.call('LREM', former, -1, message) == 0 then return 0 end
    redis.call('LPUSH', now, message)
    return 1
end

-- suffix of the former keys, tag, list, message.
function operations.unacked(suffix, tag, now, message)
    if redis.call('HDEL', 'unacked' .. suffix, tag) == 0 then return 0 end
    redis.call('ZREM', 'unacked_index' .. suffix, tag)
    redis.call('LPUSH', now, message)
    return 1
end

return operations[table.remove(ARGV, 1)](unpack(ARGV))
