-- limpet's job for the bench's Ingress, as far as a script of one's own does it. `pods`, which stands before
-- this, has the pod's address for each cookie. Nobody tells of pods that come and go.

local patterns = { "^/(app1/.*)$", "^/(app2/.*)$" }
local sessions = {}
for session in pairs(pods) do
  sessions[#sessions + 1] = session
end
local turn = 0

local function rewritten(target)
  local path, query = target:match("^([^?]*)(.*)$")
  for _, pattern in ipairs(patterns) do
    local group = path:match(pattern)
    if group then
      return "/" .. group .. query
    end
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = rewritten(headers:get(":path"))
  if not path then
    handle:respond({ [":status"] = "404" }, "")
    return
  end
  headers:replace(":path", path)
  local session = ("; " .. (headers:get("cookie") or "")):match("; route=([^;]*)")
  if not pods[session or ""] then
    turn = turn % #sessions + 1
    session = sessions[turn]
    handle:streamInfo():dynamicMetadata():set("sticky", "new", session)
  end
  handle:setUpstreamOverrideHost(pods[session], false)
end

function envoy_on_response(handle)
  local sticky = handle:streamInfo():dynamicMetadata():get("sticky")
  if sticky then
    handle:headers():add("set-cookie", "route=" .. sticky["new"] .. "; Path=/; HttpOnly")
  end
end
