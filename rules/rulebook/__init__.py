"""The one source of the recording rules and alerts: what they are, as values. Nothing here reads or writes files."""
