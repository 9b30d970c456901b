"""Joined rows to leads: packs of rules, each a SELECT over the joined tables.

A pack is a folder: `pack.toml` says for which line of business it is and which columns it needs,
and each other file is a rule. Rules say in words why they point at something, and what would make
it innocent. What a rule finds is a lead: a person looks at it.

    files of a pack -> Pack -> checked -> run over joined tables -> leads

A pack is somebody else's program. It is shut in (`sandbox`), read by DuckDB's own parser before it
runs (`shape`), bound to empty tables (`checking`), and bounded in time and memory.
"""
