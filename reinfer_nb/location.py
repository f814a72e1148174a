"""A folder for files, on this machine or at an fsspec URL."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput, reason_of
from reinfer_nb.files import is_url, lasting_path, written_whole
from reinfer_nb.text import shown, visible


class Location:
    """A local folder, or one at an fsspec URL.

    Args:
        where: The path or URL of the folder.
        options: Options that fsspec needs for the URL.
        noun: What is kept there, for messages, such as "A history".

    Attributes:
        where: The path or URL for messages, without a password.
    """

    def __init__(self, where: object, options: Mapping[str, Any], noun: str) -> None:
        where = os.fspath(where) if isinstance(where, os.PathLike) else where
        self._options, self._noun = dict(options), noun
        if isinstance(where, str) and is_url(where) and "\0" not in where:
            self._place = where
        else:
            try:
                # Absolute, so that a later change of the working directory does not matter.
                self._place = str(lasting_path(where))
            except (FileProblem, InvalidInput, OSError) as error:
                raise InvalidInput(
                    f"{noun} is in a folder such as 'audits/' or at a URL, not {shown(where)}. "
                    f"{error}"
                ) from None
        self.where = visible(re.sub(r"://[^/@]*@", "://***@", str(where)), 200)

    @cached_property
    def _found(self) -> tuple[Any, str]:
        """The file system and the folder in it; made late, since some connect at once."""
        if not is_url(self._place):
            from fsspec.implementations.local import LocalFileSystem

            return LocalFileSystem(), self._place.rstrip("/")
        from fsspec.core import url_to_fs

        try:
            files, folder = url_to_fs(self._place, **self._options)
        except ImportError as error:
            raise ConfigurationError(f"{self.where} needs a missing package: {error}.") from None
        except OSError as error:
            raise self.failed("reached", error) from error
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                f"{self._noun} cannot be at {self.where}: {reason_of(error)}."
            ) from None
        return files, folder.rstrip("/")

    @property
    def fs(self) -> Any:
        """The file system."""
        return self._found[0]

    @property
    def root(self) -> str:
        """The folder in the file system."""
        return self._found[1]

    @property
    def is_local(self) -> bool:
        """True if the folder is on a local file system."""
        protocols = self.fs.protocol
        return "file" in ((protocols,) if isinstance(protocols, str) else protocols)

    def path(self, name: str) -> str:
        """Return the full path of a file."""
        return f"{self.root}/{name}"

    @contextmanager
    def written(self, name: str, *, overwrite: bool = False) -> Iterator[Any]:
        """Context manager that yields a file, which gets its name once it is complete.

        Args:
            name: The file in this folder; missing folders are created.
            overwrite: Whether an existing file may be replaced.

        Raises:
            FileProblem: It could not be written.
        """
        folder, _, last = name.rpartition("/")
        try:
            if self.is_local:
                path = Path(self.path(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(path, overwrite=overwrite) as target:
                    yield target
            else:
                # Until the file is complete, its name is one that Parquet readers ignore.
                part = self.path(f"{folder}/.{last}-{secrets.token_hex(4)}.part")
                self.fs.makedirs(self.path(folder), exist_ok=True)
                try:
                    with self.fs.open(part, "wb") as target:
                        yield target
                    self.fs.mv(part, self.path(name))
                except BaseException:
                    with suppress(Exception):
                        self.fs.rm(part)
                    raise
        except FileProblem:
            raise
        except OSError as error:
            raise self.failed("written", error) from error

    def failed(self, verb: str, error: Exception) -> FileProblem:
        """Return the error for a folder that could not be read or written."""
        return FileProblem(f"{self.where} could not be {verb}: {reason_of(error)}.")
