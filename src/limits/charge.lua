-- The arithmetic of window.rs, step by step under the same names; `now` is set by whoever sends it.
-- KEYS: the tally. ARGV: limit, window and cost, times in microseconds.
-- Numbers are doubles: exact here, as nothing goes beyond 2^53, but printed in full only by '%.0f'.

local limit, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local kept = redis.call('GET', KEYS[1]) or '0 0 0'
local kept_index, kept_current, kept_previous = string.match(kept, '^(%d+) (%d+) (%d+)$')
kept_index, kept_current, kept_previous = tonumber(kept_index), tonumber(kept_current), tonumber(kept_previous)

now = math.max(now, kept_index * window)
local index = math.floor(now / window)
local previous, current = 0, 0
if index == kept_index then
    previous, current = kept_previous, kept_current
elseif index == kept_index + 1 then
    previous = kept_current
end
local left = window - now % window
local used = current + math.ceil(previous * left / window)

local allowed = used + cost <= limit
local retry_after = -1
if allowed then
    current = current + cost
    used = used + cost
elseif cost <= limit then
    if current + cost <= limit then
        retry_after = left - math.floor((limit - current - cost) * window / previous)
    else
        retry_after = left + window - math.floor((limit - cost) * window / current)
    end
end

local reset_after = 0
if current > 0 then
    reset_after = left + window
elseif previous > 0 then
    reset_after = left
end

-- Only a charge is written, and it leaves by itself when it no longer counts.
if allowed and cost > 0 then
    local tally = string.format('%.0f %.0f %.0f', index, current, previous)
    redis.call('SET', KEYS[1], tally, 'PX', string.format('%.0f', math.ceil(reset_after / 1000)))
end

return { allowed and 1 or 0, math.max(limit - used, 0), reset_after, retry_after }
