-- Posts a new code with every request. The first argument keeps the codes of one run apart from those of another; the
-- second is among how many people they go round, 0 for somebody new each time (see upstream.py).
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(arguments)
  prefix = string.format("%s-%d-", arguments[1], number)
  people = tonumber(arguments[2])
  counter = 0
  headers = { ["Content-Type"] = "application/json", ["User-Agent"] = "MicroMessenger/8.0" }
end

function request()
  counter = counter + 1
  local person = people > 0 and "person-" .. counter % people .. "_" or ""
  return wrk.format("POST", "/getCode", headers, '{"code":"' .. person .. prefix .. counter .. '"}')
end

function done(summary, latency, requests)
  io.write(string.format(
    'RESULT {"requests":%d,"errors":%d,"microseconds":%d,"p50":%d,"p99":%d}\n',
    summary.requests,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
