-- Sends the bodies of a file in turn: wrk … URL -- FILE NAME VALUE …, names and values of header fields. Prints the result as one line of JSON.

local requests, next_request = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local headers = {}
  for at = 2, #arguments, 2 do headers[arguments[at]] = arguments[at + 1] end
  for length in function() return file:read("*n", "*l") end do
    table.insert(requests, wrk.format("POST", nil, headers, file:read(length)))
  end
  file:close()
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "bad_answers": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
