"""How the operator proves who it is: in its pod by the ServiceAccount's token, elsewhere by a kubeconfig. No requests.

The library `kubernetes` reads it all (exec plugins, token files, OIDC, client certificates, proxies); kopf, which has a
client of its own for its watches, is given the same.
"""

import os

import kopf
from kubernetes.aio import client, config
from kubernetes.aio.config import incluster_config

from aigw_operator.settings import Settings, SettingsError


async def load(settings: Settings) -> client.Configuration:
    """Fresh credentials, and where the API server is. Raises SettingsError where there are none."""
    configuration = client.Configuration()
    try:
        if not settings.kubeconfig and not settings.context and incluster_config.SERVICE_HOST_ENV_NAME in os.environ:
            # Reads the token anew each minute, since the kubelet replaces it before it expires.
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                settings.kubeconfig or None, settings.context or None, client_configuration=configuration
            )
    except (config.ConfigException, OSError) as error:
        message = f"no way to the API server: {error}"
        raise SettingsError(message) from error
    return configuration


async def connection_info(configuration: client.Configuration) -> kopf.ConnectionInfo:
    """The same for kopf. It asks again as soon as the API server answers 401."""
    header = await configuration.get_api_key_with_prefix("BearerToken")
    scheme, _, token = (header or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
        # As the other client, and kubectl: HTTPS_PROXY and NO_PROXY count.
        trust_env=True,
    )
