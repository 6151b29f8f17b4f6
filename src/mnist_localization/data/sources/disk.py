"""Room on the disk, asked before it is needed."""

import shutil
from pathlib import Path

from mnist_localization.errors import SourceError

_MEBIBYTE = 2**20
# Left free for everything else that writes.
_RESERVE = 64 * _MEBIBYTE
# The unit in which the common filesystems hand out room.
_BLOCK = 4096


def rounded_to_blocks(size: int) -> int:
    """Bytes that a file takes on the disk: the images are far smaller than a block.

    Args:
        size: Bytes that it holds.
    """
    return -(-size // _BLOCK) * _BLOCK


def require_free_space(folder: Path, needed: int, purpose: str) -> None:
    """Refuse to begin what would fill the disk.

    Args:
        folder: Where will be written.
        needed: Bytes that will be written.
        purpose: What for, in the message.

    Raises:
        SourceError: There is too little room.
    """
    free = shutil.disk_usage(folder).free
    if needed + _RESERVE > free:
        raise SourceError(
            f"too little disk space to {purpose}: {(needed + _RESERVE) / _MEBIBYTE:,.0f} MiB "
            f"needed in {folder}, {free / _MEBIBYTE:,.0f} MiB free; free some and run the same "
            "command again"
        )
