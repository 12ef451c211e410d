-- Plays AI Gateway's external processor in Envoy: it tells the route by the model in the body, and notes under the same
-- keys what the real one notes for access logs. The backend's name is known once a route is chosen; model, tokens and
-- latencies only once an answer of 2xx is complete, so an aborted stream has none. It measures nothing.

local NAMESPACE = "io.envoy.ai_gateway"
local OWN = "demo.ext_proc"
local PATHS = {["/v1/chat/completions"] = true, ["/v1/embeddings"] = true}
-- Bytes of the beginning and the end of an answer that are looked at: the model is in the one, the usage in the other.
local LOOKED_AT = 4096
local USAGE = {
  llm_input_token = "prompt_tokens",
  llm_output_token = "completion_tokens",
  llm_total_token = "total_tokens",
  llm_cached_input_token = "cached_tokens",
  llm_cache_creation_input_token = "cache_creation_tokens",
  llm_reasoning_token = "reasoning_tokens",
}

local function milliseconds(handle)
  return tonumber(handle:timestamp(EnvoyTimestampResolution.MILLISECOND))
end

function envoy_on_request(handle)
  local path = handle:headers():get(":path")
  if not PATHS[path:match("^[^?]*")] then
    return
  end
  local started = milliseconds(handle)
  local body = handle:body(true)
  local model = body:getBytes(0, body:length()):match('"model"%s*:%s*"([^"]*)"')
  if not model then
    return
  end
  -- Asked for only now, as below: what was asked for before the wait for a body is no longer valid after it.
  local headers = handle:headers()
  headers:replace("x-ai-eg-model", model)
  headers:replace("x-envoy-original-path", path)
  handle:clearRouteCache()
  local noted = handle:streamInfo():dynamicMetadata()
  noted:set(OWN, "model", model)
  noted:set(OWN, "started", started)
  local backend = handle:metadata():get("backend_name")
  if backend then
    noted:set(NAMESPACE, "backend_name", backend)
  end
  local session = headers:get("agent-session-id")
  if session then
    noted:set(NAMESPACE, "session.id", session)
  end
end

function envoy_on_response(handle)
  local own = handle:streamInfo():dynamicMetadata():get(OWN)
  if not own or not handle:headers():get(":status"):match("^2") then
    return
  end
  local streamed = (handle:headers():get("content-type") or ""):match("^text/event%-stream")
  local head, tail, first = "", "", nil
  for chunk in handle:bodyChunks() do
    local bytes = chunk:getBytes(0, chunk:length())
    first = first or milliseconds(handle)
    if #head < LOOKED_AT then
      head = head .. bytes
    end
    tail = (tail .. bytes):sub(-LOOKED_AT)
  end
  local noted = handle:streamInfo():dynamicMetadata()
  local usage = tail:match('.*"usage"%s*:%s*({.*)') or ""
  for key, name in pairs(USAGE) do
    noted:set(NAMESPACE, key, tonumber(usage:match('"' .. name .. '"%s*:%s*(%d+)') or 0))
  end
  local backend = (noted:get(NAMESPACE) or {})["backend_name"] or ""
  noted:set(NAMESPACE, "model_name_override", own["model"])
  noted:set(NAMESPACE, "response_model", head:match('"model"%s*:%s*"([^"]*)"') or own["model"])
  noted:set(NAMESPACE, "ai_service_backend_name", backend:match("^[^/]*/[^/]*"))
  noted:set(NAMESPACE, "route_name", backend:match("^([^/]*)/") .. "/" .. backend:match("/route/([^/]*)"))
  if streamed and first then
    local output = tonumber(usage:match('"completion_tokens"%s*:%s*(%d+)') or 0)
    noted:set(NAMESPACE, "token_latency_ttft", first - own["started"])
    if output > 1 then
      noted:set(NAMESPACE, "token_latency_itl", (milliseconds(handle) - first) / (output - 1))
    end
  end
end
