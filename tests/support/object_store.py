"""S3 server on 127.0.0.1 with one empty bucket."""

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def s3_bucket() -> Iterator[str]:
    """Serve a bucket, with its address and keys in the environment, and yield its URL."""
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        with patch.dict(os.environ, variables):
            # All servers of a process share their buckets.
            bucket = f"bucket-{uuid.uuid4().hex[:8]}"
            files = fsspec.filesystem("s3", skip_instance_cache=True)
            files.mkdir(bucket)
            # Cached file systems have the address of an earlier server.
            files.clear_instance_cache()
            yield f"s3://{bucket}"
    finally:
        server.stop()
