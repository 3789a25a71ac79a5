"""Data: sources of images, the store of prepared arrays, forget splits and augmentation.

A source is a function ``read(name, settings) -> Arrays``. It is registered as a string, so that importing this
package imports neither torch nor scikit-learn nor pyarrow.
"""

from __future__ import annotations

from benchmark.registry import SOURCES

SOURCES.add("digits", "benchmark.data.digits:read")
SOURCES.add("official", "benchmark.data.official:read")
SOURCES.add("parquet", "benchmark.data.parquet:read")
SOURCES.add("folder", "benchmark.data.folder:read")
