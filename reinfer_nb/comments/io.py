"""Reads archives of comments: a file of one source, or a folder of many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reinfer_nb.comments import archive_file, archive_folder
from reinfer_nb.errors import InvalidInput
from reinfer_nb.files import is_url, path_of


def read_archive(
    path: str | os.PathLike[str],
    source: str | None = None,
    *,
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the comments in an archive as a frame.

    >>> import reinfer_nb as rnb
    >>> archive = client.archive("claims/theft-inbox", "theft.jsonl.gz", progress=False)
    >>> rnb.read_archive("theft.jsonl.gz").equals(client.comments("claims/theft-inbox"))
    True

    Args:
        path: The file of one source, also one that the vendor's client has written; or the folder
            of many sources, or its fsspec URL such as "s3://bucket/comments".
        source: Of a folder, only this source, by its full name; by default all.
        options: Options that fsspec needs for the URL.

    Returns:
        A frame as that of `Client.comments`. Of a folder, it has the columns `owner` and `name`
        (`str`) of the source before the others, and is by source and then by time. Of a file with
        its side file, `attrs` holds `endpoint` and `source`.

    Raises:
        InvalidInput: `path` is no path or URL, or the folder has no comments of that source.
        FileProblem: The file or folder cannot be read, holds something else, or is cut.
        ConfigurationError: fsspec needs a package for the URL that is not installed.

    Warns:
        UnreadableWarning: Some values could not be read and are missing.
    """
    if is_url(path):
        return archive_folder.frame_of_folder(path, source, options)
    given = path_of(path)
    if given.is_dir():
        return archive_folder.frame_of_folder(given, source, options)
    if source is not None or options is not None:
        raise InvalidInput(
            f"source and options are for the folder of many sources, but {given} is no folder."
        )
    return archive_file.frame_of_file(given)
