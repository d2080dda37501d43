-- The ledger's operations, each of them atomic.  ARGV: operation, then its arguments.
--
--   msk:entry:ID        hash   queue, accepted (ms), attempts, failures, reason, owner, began, again, failed
--   msk:waiting:QUEUE   zset   ID by the time (ms) from which it may be claimed
--   msk:leased          zset   ID by the time (ms) at which its lease runs out
--   msk:owner:OWNER     set    IDs that one run of the label task holds
--   msk:failed          zset   ID by the time (ms) at which it failed, where the failure could not be written to Orthanc
--   msk:finished        list   IDs that were labelled last, the newest first
--   msk:unsettled       zset   studies of which instances were labelled since all of them were last looked at together,
--                              by the time (ms) from which that may be done
--
-- A broker that evicts, or a person, may remove any of these keys. An identifier whose entry is gone gets a new entry
-- where it is met; an entry that is in none of the sets is put back by `mend`.

local LEASE_MS = 60000
local OWNER_TTL_S = 86400
local EXPRESS = 'label'
local FINISHED = 1000
-- A study has settled when none of its instances was labelled for so long.
local QUIET_MS = 15000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function entry(id) return 'msk:entry:' .. id end
local function waiting(queue) return 'msk:waiting:' .. queue end
local function holdings(owner) return 'msk:owner:' .. owner end
local function get(id, field) return redis.call('HGET', entry(id), field) end

local function wait(id, due)
    redis.call('ZADD', waiting(get(id, 'queue')), due, id)
end

local function begin_anew(id, queue)
    redis.call('HDEL', entry(id), 'reason', 'failed', 'again')
    redis.call('HSET', entry(id), 'queue', queue, 'accepted', now, 'attempts', 0, 'failures', 0)
    redis.call('ZREM', 'msk:failed', id)
    wait(id, now)
end

-- Gives an identifier that was met without its entry a new one.
local function restore(id, queue)
    if not get(id, 'queue') then
        redis.call('HSET', entry(id), 'queue', queue, 'accepted', now, 'attempts', 0, 'failures', 0)
    end
end

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

-- Whether the run holds the instance; an entry that was lost meanwhile is made again.
local function is_held(owner, id)
    if not get(id, 'queue') and redis.call('SISMEMBER', holdings(owner), id) == 1 then
        restore(id, EXPRESS)
        redis.call('HSET', entry(id), 'owner', owner)
    end
    return get(id, 'owner') == owner
end

-- Ends an attempt, and does not count it among those that ended with their worker dead or stuck.
local function forgive(id)
    if get(id, 'began') then redis.call('HINCRBY', entry(id), 'attempts', -1) end
end

local operations = {}

-- queue, id...: opens entries; how many of the instances are new here.
function operations.open(queue, ...)
    local opened = 0
    for _, id in ipairs({...}) do
        local held = get(id, 'queue')
        if not held or get(id, 'failed') then
            begin_anew(id, queue)
            opened = opened + 1
        elseif get(id, 'owner') then
            -- Stored again while a run works on the earlier file: label it once more.
            redis.call('HSET', entry(id), 'again', 1)
        elseif held ~= queue and queue == EXPRESS then
            redis.call('ZREM', waiting(held), id)
            redis.call('HSET', entry(id), 'queue', queue)
            wait(id, now)
        end
    end
    return opened
end

-- owner, queue, limit, id...: leases instances to the owner; a flat list of id, attempts, failures, accepted.
-- First those that this run held when it was killed, then those that its message names, then those with
-- expired leases, then the oldest that wait: at most a quarter of these, so that other workers get a share.
function operations.claim(owner, queue, limit, ...)
    local claims, count = {}, 0
    local function take(id)
        if get(id, 'failed') then return end
        restore(id, queue)
        redis.call('ZREM', waiting(get(id, 'queue')), id)
        redis.call('ZREM', waiting(queue), id)
        unlease(id)
        lease(id, owner)
        count = count + 1
        for _, value in ipairs({id, get(id, 'attempts'), get(id, 'failures') or 0, get(id, 'accepted')}) do
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
    if not is_held(owner, id) then return 0 end
    for _, held in ipairs(redis.call('SMEMBERS', holdings(owner))) do
        redis.call('ZADD', 'msk:leased', now + LEASE_MS, held)
    end
    redis.call('HSET', entry(id), 'began', 1)
    return redis.call('HINCRBY', entry(id), 'attempts', 1)
end

-- owner, id, labelled (0 or 1), study ('' for none): closes an entry; 0 if it waits again or belongs to another run.
function operations.close(owner, id, labelled, study)
    if not is_held(owner, id) then return 0 end
    unlease(id)
    if labelled == '1' then
        redis.call('LPUSH', 'msk:finished', id)
        redis.call('LTRIM', 'msk:finished', 0, FINISHED - 1)
    end
    if study ~= '' then redis.call('ZADD', 'msk:unsettled', now + QUIET_MS, study) end
    if get(id, 'again') then
        begin_anew(id, get(id, 'queue'))
        return 0
    end
    redis.call('DEL', entry(id))
    return 1
end

-- owner, id, delay (ms), reason, blamed (0 or 1): ends an attempt; the instance waits for the next one.
function operations.postpone(owner, id, delay, reason, blamed)
    if not is_held(owner, id) then return 0 end
    forgive(id)
    redis.call('HINCRBY', entry(id), 'failures', tonumber(blamed))
    redis.call('HSET', entry(id), 'reason', reason)
    unlease(id)
    wait(id, now + tonumber(delay))
    return 1
end

-- owner, id, reason: the instance failed, and this could not be written to Orthanc: it stays here until it is opened.
function operations.fail(owner, id, reason)
    if not is_held(owner, id) then return 0 end
    unlease(id)
    if get(id, 'again') then
        begin_anew(id, get(id, 'queue'))
        return 0
    end
    redis.call('HSET', entry(id), 'failed', 1, 'reason', reason)
    redis.call('ZADD', 'msk:failed', now, id)
    return 1
end

-- owner, delay (ms), blameless (0 or 1), reason ('' for none): gives back all that a run still holds.
function operations.release(owner, delay, blameless, reason)
    local ids = redis.call('SMEMBERS', holdings(owner))
    for _, id in ipairs(ids) do
        if is_held(owner, id) then
            if blameless == '1' then forgive(id) end
            if reason ~= '' then redis.call('HSET', entry(id), 'reason', reason) end
            unlease(id)
            wait(id, now + tonumber(delay))
        else
            redis.call('SREM', holdings(owner), id)
        end
    end
    return #ids
end

-- queue, limit: the oldest that may be claimed now.  First, instances with expired leases wait again.
function operations.due(queue, limit)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'msk:leased', '-inf', now)) do
        restore(id, queue)
        unlease(id)
        wait(id, now)
    end
    return redis.call('ZRANGEBYSCORE', waiting(queue), '-inf', now, 'LIMIT', 0, tonumber(limit))
end

-- id...: puts entries that are in none of the sets back into the one where they belong; how many.
function operations.mend(...)
    local mended = 0
    for _, id in ipairs({...}) do
        local queue = get(id, 'queue')
        if queue and get(id, 'failed') then
            mended = mended + redis.call('ZADD', 'msk:failed', 'NX', now, id)
        elseif queue and not redis.call('ZSCORE', 'msk:leased', id) and not redis.call('ZSCORE', waiting(queue), id) then
            unlease(id)
            wait(id, now)
            mended = mended + 1
        elseif not queue then
            -- What is left of an entry that was removed while it was written.
            redis.call('DEL', entry(id))
        end
    end
    return mended
end

-- limit: leases studies that have settled; a flat list of study and lease.
function operations.take_settled(limit)
    local taken = {}
    for _, study in ipairs(redis.call('ZRANGEBYSCORE', 'msk:unsettled', '-inf', now, 'LIMIT', 0, tonumber(limit))) do
        redis.call('ZADD', 'msk:unsettled', now + LEASE_MS, study)
        taken[#taken + 1] = study
        taken[#taken + 1] = redis.call('ZSCORE', 'msk:unsettled', study)
    end
    return taken
end

-- study, lease: forgets a study, unless one of its instances was labelled meanwhile, or the lease ran out.
function operations.forget_study(study, lease)
    if redis.call('ZSCORE', 'msk:unsettled', study) ~= lease then return 0 end
    return redis.call('ZREM', 'msk:unsettled', study)
end

return operations[table.remove(ARGV, 1)](unpack(ARGV))
