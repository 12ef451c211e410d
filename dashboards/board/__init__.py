"""The one source of the dashboards: what they show, as values. Nothing here reads or writes files."""
