"""`cache`: what runs keep for later runs."""

import time

import click

from tfxfer.cli.formatting import Command
from tfxfer.cli.options import setting_help
from tfxfer.config.schema import RunConfig
from tfxfer.system import streams
from tfxfer.system.progress import readable_bytes, readable_seconds


@click.command(cls=Command, examples=("tfxfer cache", "tfxfer cache --clear"))
@click.option("--clear", is_flag=True, help="Delete everything in the cache.")
@click.option("--cache-dir", help=setting_help(RunConfig, "cache_dir"))
def cache(clear: bool, cache_dir: str | None) -> None:
    """Show or clear the cache that all runs share.

    It holds features of frozen backbones, decoded images, digests of files, and copies of files at
    URLs, so that later runs start faster.
    """
    # Imported here because it imports NumPy, which fast commands such as `backbones` do without.
    from tfxfer.data.cache import Cache, default_cache_dir
    from tfxfer.data.remote.kept import KIND, KeptCopies
    from tfxfer.data.sources.kept_digests import KIND as DIGESTS

    if cache_dir is None:
        default_cache_dir()  # raises the error that explains why there is none
    kept = Cache.of(RunConfig(cache_dir=cache_dir))
    copies = KeptCopies(kept)
    if clear:
        removed = copies.clear() + kept.clear()
        streams.say(f"Removed {readable_bytes(removed)} from '{kept.directory}'.")
        return
    entries = sorted([*kept.entries(), *copies.entries()], key=lambda entry: entry.used)
    for entry in reversed(entries):
        age = readable_seconds(max(0.0, time.time() - entry.used))
        streams.say(
            f"{entry.kind:8s}  {readable_bytes(entry.num_bytes):>8s}  {entry.num_rows:>9,} "
            f"{'files ' if entry.kind in (KIND, DIGESTS) else 'images'}  "
            f"used {age} ago  {entry.about.get('what', '')}"
        )
    total = readable_bytes(sum(entry.num_bytes for entry in entries))
    streams.say(f"{total} in '{kept.directory}'. `tfxfer cache --clear` removes it.")
