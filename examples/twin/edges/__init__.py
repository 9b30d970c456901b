"""Claims just inside and just outside of every edge of every rule, and with published figures.

In the order to read:

    scheme     what an edge is, and how a group of claims is planted at one
    auto, auto_records, accident, flight_delay     the edges of each pack's rules
    published  figures of reports
    ring_rules what rules have to say of the rings of `schemes`
    planting   all of them, as often as is asked for
    columns    the columns that rules need and the twin has only with edges
    truth      what a match would tell, and what rules have to say of it, as files
"""
