"""The demo's Envoy as a child: what a newcomer is told where it cannot be started."""

import asyncio
from typing import Any

import pytest

from aigw_demo import envoy
from aigw_demo.envoy import Node
from aigw_demo.receiver import StartError

NODE = Node("pod-0", "default/chat", "", {})


async def start(config: dict[str, Any]) -> None:
    """Start an Envoy, and end it at once."""
    async with envoy.start_envoy(config, NODE):
        pass


def test_envoy_that_is_missing_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback instead of one line would not tell a newcomer what to install."""
    monkeypatch.setattr(envoy, "find_envoy", lambda: None)
    with pytest.raises(StartError, match=r"^envoy is not installed: run `make install`$"):
        asyncio.run(start({}))


@pytest.mark.skipif(envoy.find_envoy() is None, reason="no envoy here; it comes with `make install`")
def test_envoy_that_refuses_its_configuration_says_why() -> None:
    """The demo would wait until patience is at its end, and not say what is wrong."""
    with pytest.raises(StartError, match=r"(?s)^envoy ended with status 1: .*no_such_key"):
        asyncio.run(start({"no_such_key": 1}))
