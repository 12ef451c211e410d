-- AI Gateway's external processor knows the backend once a route is chosen; here there is one for all requests.
function envoy_on_request(handle)
  local noted = handle:streamInfo():dynamicMetadata()
  noted:set("io.envoy.ai_gateway", "backend_name", "aigw-demo/openai/route/gw/rule/0/ref/0")
end
