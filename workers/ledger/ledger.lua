-- The ledger's operations, each of them atomic.  ARGV: operation, then its arguments.
--
--   msk:entry:ID        hash   queue, accepted (ms), attempts, owner, began, again
--   msk:waiting:QUEUE   zset   ID by the time (ms) from which it may be claimed
--   msk:leased          zset   ID by the time (ms) at which its lease runs out
--   msk:owner:OWNER     set    IDs that one run of the label task holds

local LEASE_MS = 60000
local OWNER_TTL_S = 86400
local EXPRESS = 'label'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function entry(id) return 'msk:entry:' .. id end
local function waiting(queue) return 'msk:waiting:' .. queue end
local function holdings(owner) return 'msk:owner:' .. owner end
local function get(id, field) return redis.call('HGET', entry(id), field) end

local function lease(id, owner)
    redis.call('ZADD', 'msk:leased', now + LEASE_MS, id)
    redis.call('HSET', entry(id), 'owner', owner)
    redis.call('SADD', holdings(owner), id)
    redis.call('EXPIRE', holdings(owner), OWNER_TTL_S)
end

local function unlease(id)
    local owner = get(id, 'owner')
    if owner then redis.call('SREM', holdings(owner), id) end
    redis.call('HDEL', entry(id), 'owner', 'began')
    redis.call('ZREM', 'msk:leased', id)
end

local function wait(id, queue, due)
    redis.call('ZADD', waiting(queue), due, id)
end

local operations = {}

-- queue, id...: opens entries; how many of the instances are new here.
function operations.open(queue, ...)
    local opened = 0
    for _, id in ipairs({...}) do
        local held = get(id, 'queue')
        if not held then
            redis.call('HSET', entry(id), 'queue', queue, 'accepted', now, 'attempts', 0)
            wait(id, queue, now)
            opened = opened + 1
        elseif get(id, 'owner') then
            -- Stored again while a run works on the earlier file: label it once more.
            redis.call('HSET', entry(id), 'again', 1)
        elseif held ~= queue and queue == EXPRESS then
            redis.call('ZREM', waiting(held), id)
            redis.call('HSET', entry(id), 'queue', queue)
            wait(id, queue, now)
        end
    end
    return opened
end

-- owner, queue, limit, id...: leases instances to the owner; a flat list of id, attempts, accepted.
-- First those that this run held when it was killed, then those that its message names, then those with
-- expired leases, then the oldest that wait: at most a quarter of these, so that other workers get a share.
function operations.claim(owner, queue, limit, ...)
    local claims, count = {}, 0
    local function take(id)
        local held = get(id, 'queue')
        if not held then return end
        redis.call('ZREM', waiting(held), id)
        unlease(id)
        lease(id, owner)
        count = count + 1
        for _, value in ipairs({id, get(id, 'attempts'), get(id, 'accepted')}) do
            claims[#claims + 1] = value
        end
    end
    for _, id in ipairs(redis.call('SMEMBERS', holdings(owner))) do take(id) end
    for _, id in ipairs({...}) do
        if get(id, 'queue') and not get(id, 'owner') then take(id) end
    end
    local function top_up(key, most)
        local room = math.min(tonumber(limit) - count, most)
        if room < 1 then return end
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, room)) do take(id) end
    end
    top_up('msk:leased', tonumber(limit))
    top_up(waiting(queue), math.ceil(redis.call('ZCOUNT', waiting(queue), '-inf', now) / 4))
    return claims
end

-- owner, id: begins an attempt; its number, or 0 if another run has taken the instance over.
-- It is a heartbeat too: it renews the leases of all instances that the run holds.
function operations.begin(owner, id)
    if get(id, 'owner') ~= owner then return 0 end
    for _, held in ipairs(redis.call('SMEMBERS', holdings(owner))) do
        redis.call('ZADD', 'msk:leased', now + LEASE_MS, held)
    end
    redis.call('HSET', entry(id), 'began', 1)
    return redis.call('HINCRBY', entry(id), 'attempts', 1)
end

-- owner, id: closes an entry; 0 if it waits again or belongs to another run.
function operations.close(owner, id)
    if get(id, 'owner') ~= owner then return 0 end
    unlease(id)
    if get(id, 'again') then
        redis.call('HDEL', entry(id), 'again')
        redis.call('HSET', entry(id), 'attempts', 0)
        wait(id, get(id, 'queue'), now)
        return 0
    end
    redis.call('DEL', entry(id))
    return 1
end

-- owner, delay (ms), blameless (0 or 1): gives back all that a run still holds.
function operations.release(owner, delay, blameless)
    local ids = redis.call('SMEMBERS', holdings(owner))
    for _, id in ipairs(ids) do
        if blameless == '1' and get(id, 'began') then redis.call('HINCRBY', entry(id), 'attempts', -1) end
        unlease(id)
        wait(id, get(id, 'queue'), now + tonumber(delay))
    end
    return #ids
end

-- queue, limit: the oldest that may be claimed now.  First, instances with expired leases wait again.
function operations.due(queue, limit)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'msk:leased', '-inf', now)) do
        unlease(id)
        wait(id, get(id, 'queue'), now)
    end
    return redis.call('ZRANGEBYSCORE', waiting(queue), '-inf', now, 'LIMIT', 0, tonumber(limit))
end

return operations[table.remove(ARGV, 1)](unpack(ARGV))
