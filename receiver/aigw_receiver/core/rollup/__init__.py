"""What a gateway did in the last hours, rolled up: running totals by provider, model, MCP server and pod."""
