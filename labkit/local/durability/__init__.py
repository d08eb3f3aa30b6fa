"""What the local cloud keeps on disk, so that nothing is lost when it ends, however it ends.

``durability.py`` knows when something has changed, and who must wait until it is kept: read it first. ``journal.py``
holds what is to be written, ``journal_file.py`` is the file, ``records.py`` says how a state becomes a record, and
``reading.py`` what the records say at the next start.
"""
