"""What a pack finds of groups of claims whose answer is known, and what it finds besides.

`truth` reads the groups, `evaluating` runs a pack, `scoring` holds its leads against them;
`parties.models.intervals` says how far a share of so many can be trusted; `hiding` masks, and
`words`, `bars` and `page` tell.
"""
