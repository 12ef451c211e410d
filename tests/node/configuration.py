"""The configuration files of the node's programs, as text; writes nothing and starts nothing.

Some values are as they are because the node is a guest on a machine that is not its own: no limits and no scores of the
kernel's memory killer that the machine may forbid, no garbage collection of images, nothing of the machine's firewall.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import yaml

DOMAIN: Final = "cluster.local"
PAUSE_IMAGE: Final = "node.local/pause:1"
COREDNS_IMAGE: Final = "node.local/coredns:1"
CNI_PROGRAMS: Final = "/usr/lib/cni"
_VOLUMES: Final = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of node number N, 1 to 250: several nodes on one machine have nothing in common."""

    number: int

    @property
    def node(self) -> str:
        """The node's name, and that of its control groups."""
        return f"node-{self.number}"

    @property
    def link(self) -> str:
        """The machine's end of the link to the node."""
        return f"kn{self.number}"

    @property
    def machine_ip(self) -> str:
        """The machine's address on the link."""
        return f"10.250.{self.number}.1"

    @property
    def node_ip(self) -> str:
        """The node's address, where its API server listens too."""
        return f"10.250.{self.number}.2"

    @property
    def pods(self) -> str:
        """The network of the pods."""
        return f"10.244.{self.number}.0/24"

    @property
    def services(self) -> str:
        """The network of the Services."""
        return f"10.96.{self.number}.0/24"

    @property
    def api_service(self) -> str:
        """The Service of the API server."""
        return f"10.96.{self.number}.1"

    @property
    def dns_service(self) -> str:
        """The Service of DNS."""
        return f"10.96.{self.number}.10"

    @property
    def server(self) -> str:
        """The API server's URL, for the machine, the node and the pods."""
        return f"https://{self.node_ip}:6443"


def containerd(folder: Path, runc: str) -> str:
    """containerd, with its store below the node's own /var/lib."""
    return f"""version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{CNI_PROGRAMS}"]
    conf_dir = "{folder}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{runc}"
      SystemdCgroup = false
"""


def cni(addresses: Addresses) -> str:
    """The pods' network: a bridge. Nothing is masqueraded, as nothing leads out of the machine."""
    ranges = {"type": "host-local", "ranges": [[{"subnet": addresses.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
    plugins = [{**bridge, "mtu": 1400, "ipam": ranges}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins})


def kubelet(folder: Path, addresses: Addresses) -> str:
    """The kubelet, in control groups below the node's own."""
    content: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": addresses.node_ip,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{folder}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{folder}/pki/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{folder}/pki/kubelet-server.key",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{addresses.node}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": 10_000,
        "makeIPTablesUtilChains": False,
        "clusterDomain": DOMAIN,
        "clusterDNS": [addresses.dns_service],
        "resolvConf": f"{folder}/resolv.conf",
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "maxPods": 100,
    }
    return yaml.safe_dump(content)


def proxy(folder: Path, addresses: Addresses) -> str:
    """kube-proxy, which writes the node's own nftables and no setting of the kernel."""
    content: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{folder}/proxy.kubeconfig"},
        "hostnameOverride": addresses.node,
        "bindAddress": addresses.node_ip,
        "clusterCIDR": addresses.pods,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
    }
    return yaml.safe_dump(content)


def kubeconfig(folder: Path, addresses: Addresses, user: str) -> str:
    """What a user of the control plane shows to the API server."""
    cluster = {"server": addresses.server, "certificate-authority": f"{folder}/pki/ca.crt"}
    credentials = {"client-certificate": f"{folder}/pki/{user}.crt", "client-key": f"{folder}/pki/{user}.key"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "node", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": user}}],
        "current-context": "node",
    }
    return yaml.safe_dump(content)


def volumes(addresses: Addresses) -> list[dict[str, Any]]:
    """Volumes for claims; local ones, since a hostPath is not given to the group of a pod."""
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [addresses.node]}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"volume-{number}"},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "standard",
                "local": {"path": f"/var/lib/volumes/{number}"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
            },
        }
        for number in range(_VOLUMES)
    ]


def base(addresses: Addresses) -> list[dict[str, Any]]:
    """What every cluster has: DNS, a class of storage, and the API server's right to ask the kubelet."""
    text = (Path(__file__).parent / "base.yaml").read_text()
    text = text.replace("@DNS@", addresses.dns_service).replace("@COREDNS@", COREDNS_IMAGE)
    return [*yaml.safe_load_all(text), *volumes(addresses)]
