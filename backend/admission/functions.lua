#!lua name=yipan_VERSION

-- The admission filter: per counter a base and its version (from PostgreSQL) and what is pending.
--   free = base - pending
-- All keys of a tenant carry its hash tag, so that one call stays in one slot:
--   KEYS[1] epoch    the epoch that is warm (string); absent while it warms, or after a flush
--   KEYS[2] base     hash  counter -> base
--   KEYS[3] version  hash  counter -> version
--   KEYS[4] pending  hash  counter -> sum of the pending takes
--   KEYS[5] tokens   hash  token -> msgpack {counter, quantity, counter, quantity, ...}
--   KEYS[6] ages     zset  token -> milliseconds of the server's clock
--   KEYS[7] warming  the epoch that a process warms (string, expires with the process)
-- KEYS[2] to KEYS[6] belong to the epoch that the caller believes in.
-- A batch is counted in Lua tables and written with one command a hash: a command per counter was
-- four times slower.

local CHUNK = 3000 -- arguments a command, an even number; Lua's unpack ends at about 8,000

local ADMITTED, COLD_EPOCH, UNKNOWN_COUNTER = 0, 2, 3

local function read(key, names)
  local values = {}
  for first = 1, #names, CHUNK do
    local part = redis.call('HMGET', key, unpack(names, first, math.min(first + CHUNK - 1, #names)))
    for i = 1, #part do values[first + i - 1] = part[i] end
  end
  return values
end

local function send(command, key, arguments)
  for first = 1, #arguments, CHUNK do
    redis.call(command, key, unpack(arguments, first, math.min(first + CHUNK - 1, #arguments)))
  end
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The epoch under which counters are to be published: the one that warms, or else the warm one.
local function current_epoch(keys)
  return redis.call('GET', keys[7]) or redis.call('GET', keys[1])
end

local function write_pending(key, names, pending, touched)
  local set, drop = {}, {}
  for i in pairs(touched) do
    if pending[i] > 0 then
      set[#set + 1] = names[i]
      set[#set + 1] = string.format('%.0f', pending[i])
    else
      drop[#drop + 1] = names[i]
    end
  end
  send('HSET', key, set)
  send('HDEL', key, drop)
end

-- ARGV: epoch, msgpack {counters, {{token, counter index, quantity, ...}, ...}}
-- Answers msgpack, an entry an order: 0 admitted; {counter index, left, pending} refused; 2 the
-- epoch is not warm; 3 a counter is not known.
local function admit(keys, args)
  local request = cmsgpack.unpack(args[2])
  local names, orders = request[1], request[2]
  local answers = {}
  if redis.call('GET', keys[1]) ~= args[1] then
    for i = 1, #orders do answers[i] = COLD_EPOCH end
    return cmsgpack.pack(answers)
  end
  local base, pending, touched = read(keys[2], names), read(keys[4], names), {}
  for i = 1, #names do
    base[i] = base[i] and tonumber(base[i])
    pending[i] = tonumber(pending[i] or 0)
  end
  local tokens, ages, now = {}, {}, now_ms()
  for i = 1, #orders do
    local order, answer, done = orders[i], ADMITTED, 2
    while done < #order do
      local counter, quantity = order[done], order[done + 1]
      if not base[counter] then
        answer = UNKNOWN_COUNTER
        break
      end
      local left = base[counter] - pending[counter]
      if left < quantity then
        answer = { counter, math.max(left, 0), pending[counter] }
        break
      end
      pending[counter] = pending[counter] + quantity
      done = done + 2
    end
    if answer == ADMITTED then
      local takes = {}
      for at = 2, #order, 2 do
        touched[order[at]] = true
        takes[at - 1] = names[order[at]]
        takes[at] = order[at + 1]
      end
      tokens[#tokens + 1] = order[1]
      tokens[#tokens + 1] = cmsgpack.pack(takes)
      ages[#ages + 1] = now
      ages[#ages + 1] = order[1]
    else
      for at = 2, done - 2, 2 do pending[order[at]] = pending[order[at]] - order[at + 1] end
    end
    answers[i] = answer
  end
  write_pending(keys[4], names, pending, touched)
  send('HSET', keys[5], tokens)
  send('ZADD', keys[6], ages)
  return cmsgpack.pack(answers)
end

local function drop_tokens(keys, tokens)
  local names, index, pending, touched, dropped = {}, {}, {}, {}, {}
  local stored = read(keys[5], tokens)
  for i = 1, #tokens do
    local takes = stored[i] and not dropped[tokens[i]] and cmsgpack.unpack(stored[i]) or {}
    dropped[tokens[i]] = true
    for at = 1, #takes, 2 do
      local counter = index[takes[at]]
      if not counter then
        counter = #names + 1
        names[counter], index[takes[at]], pending[counter] = takes[at], counter, 0
      end
      pending[counter] = pending[counter] - takes[at + 1]
      touched[counter] = true
    end
  end
  local before = read(keys[4], names)
  for i = 1, #names do pending[i] = math.max(0, tonumber(before[i] or 0) + pending[i]) end
  write_pending(keys[4], names, pending, touched)
  send('HDEL', keys[5], tokens)
  send('ZREM', keys[6], tokens)
end

-- Sets the bases whose versions are newer than what is stored; returns those, to be announced.
local function set_newer(keys, names, bases, versions)
  local known, set_base, set_version, news = read(keys[3], names), {}, {}, {}
  for i = 1, #names do
    if not known[i] or tonumber(known[i]) < versions[i] then
      local at = #set_base
      set_base[at + 1], set_base[at + 2] = names[i], string.format('%.0f', bases[i])
      set_version[at + 1], set_version[at + 2] = names[i], string.format('%.0f', versions[i])
      news[#news + 1] = { names[i], bases[i], versions[i] }
    end
  end
  send('HSET', keys[2], set_base)
  send('HSET', keys[3], set_version)
  return news
end

-- ARGV: epoch, msgpack {tokens to drop, {counter, ...}, {base, ...}, {version, ...}}, channel
-- Sets what is newer and announces it on the channel. Without an epoch (a flush) it announces only:
-- whoever warms next reads PostgreSQL later than this. Answers the epoch that counts; a caller that
-- believed in another one has set nothing and comes again with the right one.
local function finish(keys, args)
  local request = cmsgpack.unpack(args[2])
  local tokens, names, bases, versions = request[1], request[2], request[3], request[4]
  if #tokens > 0 then drop_tokens(keys, tokens) end
  local current, news = current_epoch(keys), {}
  if current == args[1] then
    news = set_newer(keys, names, bases, versions)
  elseif not current then
    for i = 1, #names do news[i] = { names[i], bases[i], versions[i] } end
  end
  if #news > 0 and args[3] ~= '' then redis.call('PUBLISH', args[3], cmsgpack.pack(news)) end
  return current
end

-- ARGV: epoch, milliseconds, msgpack {{counter, ...}, {base, ...}, {version, ...}}
-- One chunk of a warm-up, which then has so long for the next. Answers 0 to a process that is no
-- longer the one that warms.
local function fill(keys, args)
  if redis.call('GET', keys[7]) ~= args[1] then return 0 end
  redis.call('PEXPIRE', keys[7], args[2])
  local request = cmsgpack.unpack(args[3])
  set_newer(keys, request[1], request[2], request[3])
  return 1
end

-- ARGV: epoch. Ends a warm-up: from here on the epoch admits. Answers 0 as `fill` does.
local function warm(keys, args)
  if redis.call('GET', keys[7]) ~= args[1] then return 0 end
  redis.call('SET', keys[1], args[1])
  redis.call('DEL', keys[7])
  return 1
end

-- ARGV: age in milliseconds, limit. Answers msgpack {{token, counter, quantity, ...}, ...}.
local function stale(keys, args)
  local oldest = redis.call('ZRANGEBYSCORE', keys[6], '-inf', now_ms() - tonumber(args[1]),
                            'LIMIT', 0, tonumber(args[2]))
  local stored, answers = read(keys[5], oldest), {}
  for i = 1, #oldest do
    local takes = stored[i] and cmsgpack.unpack(stored[i]) or {}
    table.insert(takes, 1, oldest[i])
    answers[i] = takes
  end
  return cmsgpack.pack(answers)
end

-- ARGV: msgpack {counter, ...}. Answers msgpack {{base, version, pending}, ...}; false if absent.
local function look(keys, args)
  local names, answers = cmsgpack.unpack(args[1]), {}
  local base, version, pending = read(keys[2], names), read(keys[3], names), read(keys[4], names)
  for i = 1, #names do
    answers[i] = base[i]
      and { tonumber(base[i]), tonumber(version[i]), tonumber(pending[i] or 0) } or false
  end
  return cmsgpack.pack(answers)
end

redis.register_function('yipan_admit_VERSION', admit)
redis.register_function('yipan_finish_VERSION', finish)
redis.register_function('yipan_fill_VERSION', fill)
redis.register_function('yipan_warm_VERSION', warm)
redis.register_function('yipan_stale_VERSION', stale)
redis.register_function{
  function_name = 'yipan_look_VERSION', callback = look, flags = { 'no-writes' }
}
