-- The operations on training jobs, each of them atomic.  ARGV: operation, then its arguments.
--
--   msk:jobs         zset   every job's ID by the time (ms) of its submission
--   msk:jobs:open    zset   the same, but only jobs that wait or run
--   msk:job:ID       hash   request, author, submitted, state, changed, due (ms), owner, lease (ms), committed, ...
--                           tries: runs begun since the furthest place, which is `reached`
--                           died: where and of what the last run that died did so;  waits: why the last one gave it back
--   msk:job:ID:log   list   JSON [time (ms), text], the latest LOG_LENGTH entries

local LEASE_MS = 10000
local LOG_LENGTH = 2000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function job(id) return 'msk:job:' .. id end
local function get(id, field) return redis.call('HGET', job(id), field) end
local function set(id, ...) redis.call('HSET', job(id), 'changed', now, ...) end
local function lapsed(id) return tonumber(get(id, 'lease') or 0) < now end

local function say(id, text)
    redis.call('RPUSH', job(id) .. ':log', cjson.encode({now, text}))
    redis.call('LTRIM', job(id) .. ':log', -LOG_LENGTH, -1)
end

-- A run of a job whose record is gone asks again until it is back, as if the whole database were away.
local function gone(id) return redis.call('EXISTS', job(id)) == 0 and redis.error_reply('GONE there is no such job') end

-- Remembers where a run died, and of what.
local function died(id, of)
    local phase = get(id, 'phase')
    set(id, 'died', ((phase and phase ~= '') and phase or 'starting') .. ': ' .. of)
end

local function open(id, author, request, submitted)
    redis.call('HSET', job(id), 'request', request, 'author', author, 'submitted', submitted, 'due', now, 'tries', 0)
    set(id, 'state', 'queued')
    redis.call('ZADD', 'msk:jobs', submitted, id)
    redis.call('ZADD', 'msk:jobs:open', submitted, id)
end

local function lend(id, owner)
    set(id, 'state', 'running', 'owner', owner, 'lease', now + LEASE_MS)
    redis.call('HDEL', job(id), 'restored')
end

local function finish(id, state, reason)
    set(id, 'state', state, 'reason', reason)
    redis.call('HDEL', job(id), 'owner', 'lease')
    redis.call('ZREM', 'msk:jobs:open', id)
    say(id, reason == '' and state or state .. ': ' .. reason)
end

-- Whether a run may start: the job waits and is due, or the lease of its last run has expired.
local function claimable(id)
    local state = get(id, 'state')
    if state == 'queued' then return tonumber(get(id, 'due')) <= now end
    if not lapsed(id) then return false end
    if state == 'cancelling' then finish(id, 'cancelled', '') end
    return state == 'running'
end

local operations = {}

-- id, author, request
function operations.submit(id, author, request)
    open(id, author, request, now)
    say(id, 'submitted by ' .. author)
end

-- id, author, request, submitted (ms), owner: a job that this database has forgotten is known again; 0 if it knew it.
-- With an owner it is a run that goes on; without, the job waits, long enough for a run that goes on to say so.
function operations.restore(id, author, request, submitted, owner)
    local forgotten = redis.call('EXISTS', job(id)) == 0
    if not forgotten and (owner == '' or get(id, 'restored') ~= '1' or get(id, 'state') ~= 'queued') then return 0 end
    if forgotten then
        open(id, author, request, submitted)
        set(id, 'restored', 1, 'due', now + LEASE_MS)
        say(id, 'its record was lost with the data of the broker; taken up again from its folder')
    end
    if owner ~= '' then
        lend(id, owner)
        redis.call('HINCRBY', job(id), 'tries', 1)
        say(id, 'the run goes on')
    end
    return 1
end

-- owner: leases to the owner the oldest job that may start; its id, and its tries since its furthest place; or nothing.
function operations.claim(owner)
    for _, id in ipairs(redis.call('ZRANGE', 'msk:jobs:open', 0, -1)) do
        if claimable(id) then
            if get(id, 'state') == 'running' then died(id, 'its worker died with it, or the machine') end
            local tries = redis.call('HINCRBY', job(id), 'tries', 1)
            lend(id, owner)
            set(id, 'phase', '')
            redis.call('HDEL', job(id), 'committed', 'reason')
            local first = redis.call('HSETNX', job(id), 'begun', now) == 1 and tries == 1
            if get(id, 'again') ~= '1' then say(id, first and 'begun' or 'begun again') end
            return {id, tries}
        end
    end
    return {}
end

-- How many jobs may start now.
function operations.due()
    local count = 0
    for _, id in ipairs(redis.call('ZRANGE', 'msk:jobs:open', 0, -1)) do
        if claimable(id) then count = count + 1 end
    end
    return count
end

-- id, owner: a heartbeat, which renews the lease; the job's state, or '' if it belongs to this owner no longer.
function operations.beat(id, owner)
    if get(id, 'owner') ~= owner then return '' end
    redis.call('HSET', job(id), 'lease', now + LEASE_MS)
    return get(id, 'state')
end

-- id, owner, milestone, place, field, value...: notes progress; 0 if the run must stop.
-- A place further than every earlier one resets the tries: the run has got past whatever killed it before.
function operations.note(id, owner, milestone, place, ...)
    if gone(id) then return gone(id) end
    if get(id, 'owner') ~= owner or get(id, 'state') ~= 'running' then return 0 end
    set(id, ...)
    if tonumber(place) > tonumber(get(id, 'reached') or 0) then
        set(id, 'reached', place, 'tries', 1)
        redis.call('HDEL', job(id), 'waits', 'again')
    end
    if milestone ~= '' then say(id, milestone) end
    return 1
end

-- id, owner: from here on the job can no longer be cancelled; 0 if the run must stop.
function operations.commit(id, owner)
    if gone(id) then return gone(id) end
    if get(id, 'owner') ~= owner or get(id, 'state') ~= 'running' then return 0 end
    set(id, 'committed', 1)
    return 1
end

-- id, owner, state, reason, version
function operations.finish(id, owner, state, reason, version)
    if gone(id) then return gone(id) end
    if get(id, 'owner') ~= owner then return 0 end
    if version ~= '' then set(id, 'version', version) end
    finish(id, state, reason)
    return 1
end

-- id, owner, delay (ms), reason, blameless (0 or 1): the run ends, and the job waits for the next one.
-- A reason that is given again and again is said once.
function operations.release(id, owner, delay, reason, blameless)
    if gone(id) then return gone(id) end
    if get(id, 'owner') ~= owner then return 0 end
    redis.call('HDEL', job(id), 'owner', 'lease')
    if get(id, 'state') == 'cancelling' then
        finish(id, 'cancelled', '')
        return 1
    end
    if blameless == '1' then redis.call('HINCRBY', job(id), 'tries', -1) else died(id, reason) end
    local again = get(id, 'waits') == reason and blameless == '1'
    set(id, 'state', 'queued', 'due', now + tonumber(delay), 'reason', reason, 'waits', reason)
    set(id, 'phase', '', 'again', again and 1 or 0)
    if not again then say(id, 'waits: ' .. reason) end
    return 1
end

-- id, author: cancels a job; its state afterwards, '' if there is no such job.
function operations.cancel(id, author)
    local state = get(id, 'state')
    if not state then return '' end
    local runs = (state == 'running' or state == 'cancelling') and not get(id, 'committed')
    if state == 'queued' or state == 'awaiting-approval' or (runs and lapsed(id)) then
        finish(id, 'cancelled', 'by ' .. author)
    elseif runs and state == 'running' then
        set(id, 'state', 'cancelling')
        say(id, 'to be cancelled by ' .. author)
    end
    return get(id, 'state')
end

-- id, author: a job that awaits approval becomes promoted; a job in another state is not changed.
function operations.approve(id, author)
    if get(id, 'state') == 'awaiting-approval' then finish(id, 'promoted', 'by ' .. author) end
end

return operations[table.remove(ARGV, 1)](unpack(ARGV))
