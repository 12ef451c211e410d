"""`python -m cluster [--envoy-gateway] [--ai-gateway RELEASE]`: the scene of the cluster tests, to look at by hand.

It says where the kubeconfig is, and ends with an interrupt.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from cluster import ai_gateway, control_plane, envoy_gateway, extproc
from cluster.parts import catalog


def main() -> int:
    """Start what was asked for, and wait."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("--envoy-gateway", action="store_true", help="with the real Envoy Gateway")
    parser.add_argument("--ai-gateway", choices=["v0.5", "v1.0", "v1.1"], help="with the stand-in, and Envoy Gateway")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aigw-cluster-")))
        plane = stack.enter_context(control_plane.running(folder))
        if chosen.envoy_gateway or chosen.ai_gateway:
            stack.enter_context(envoy_gateway.running(plane))
        if chosen.ai_gateway:
            stack.enter_context(ai_gateway.running(plane, extproc.Settings(chosen.ai_gateway)))
        sys.stdout.write(f"export KUBECONFIG={plane.kubeconfig()} PATH={catalog.path_of('kubectl').parent}:$PATH\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    # As an interrupt: everything that was started is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
