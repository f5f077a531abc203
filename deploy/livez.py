"""A container's health check: status 0 while its admin port answers /livez with 200. Standard library only."""

import http.client
import os
import sys


def admin_port() -> int:
    """``TABIJI_ADMIN_PORT``, or 1000 above the service's port; compose and Kubernetes name that one."""
    return int(os.environ.get("TABIJI_ADMIN_PORT") or 0) or int(os.environ["TABIJI_PORT"]) + 1000


def alive() -> bool:
    """Whether it answers so within 3 s."""
    connection = http.client.HTTPConnection("127.0.0.1", admin_port(), timeout=3)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not alive())
