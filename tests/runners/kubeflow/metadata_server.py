"""ML Metadata's C++ store, in memory, behind its own gRPC service: a program for the Python of ml-metadata 1.17.0.

The package has the store but no server, and its protocol buffers are older than those that the tests import. The
program prints its port, and ends when its standard input does.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as calls
from ml_metadata.proto import metadata_store_pb2

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Every method of the store, by its name; requests and answers stay as they are serialized."""

    def __init__(self) -> None:
        config = metadata_store_pb2.ConnectionConfig()
        config.fake_database.SetInParent()  # SQLite in memory
        options = metadata_store_pb2.MigrationOptions()
        self._store = calls.CreateMetadataStore(config.SerializeToString(), options.SerializeToString())

    def service(self, call: Any) -> Any:
        method = getattr(calls, call.method.rpartition("/")[2], None)
        return None if method is None else grpc.unary_unary_rpc_method_handler(self._handler(method))

    def _handler(self, method: Callable[[Any, bytes], tuple[bytes, bytes, int]]) -> Callable[[bytes, Any], bytes]:
        def answer(request: bytes, context: Any) -> bytes:
            answer, message, status = method(self._store, request)
            if status:
                context.abort(_CODES[status], message.decode())
            return answer

        return answer


def main() -> None:
    """Serve until standard input ends."""
    server = grpc.server(ThreadPoolExecutor(1))  # SQLite's connection is one
    server.add_generic_rpc_handlers((Service(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
