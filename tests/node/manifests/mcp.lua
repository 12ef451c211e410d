-- Notes what AI Gateway's MCP proxy tells in headers about a request to an MCP server, and takes all but the server's name
-- away: the other script notes the same of its own listener by a filter that Envoy Gateway does not offer.
local NOTED = {
  ["x-ai-eg-mcp-backend"] = "mcp_backend",
  ["x-ai-eg-mcp-metadata-method"] = "mcp_method",
  ["x-ai-eg-mcp-metadata-request-id"] = "mcp_request_id",
  ["x-ai-eg-mcp-metadata-tool-name"] = "mcp_tool_name",
}

function envoy_on_request(handle)
  local headers = handle:headers()
  for header, key in pairs(NOTED) do
    local value = headers:get(header)
    if value then
      handle:streamInfo():dynamicMetadata():set("io.envoy.ai_gateway", key, value)
      if header ~= "x-ai-eg-mcp-backend" then
        headers:remove(header)
      end
    end
  end
end
