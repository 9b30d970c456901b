"""What concluded cases have in common: sets of facts as draft rules, and a scorecard.

    outcomes      which claims were in which case, and how it was concluded
    dimensions    what a claim may be told by, each a term of SQL; ties are those that it shares
    bands         where numbers are cut
    facts         joined tables to the band of each claim in each dimension
    cases         claims of one case together: the unit of all that is counted
    evidence      exact tests, and what many tests ask for
    sets          sets of facts that are frequent
    standing_out  those of them that stand out, each for what no smaller one says
    words         what a set says
    drafts        a set as a rule that a person may accept
    weights       weights of evidence, and what a dimension tells
    scorecard     weights that are fitted together, in points
    holding_out   how well it does on cases that it has not seen
    plot, page    as people see it
    finding       all of it

Neither a set nor a score says anything about a person: they say where to look first.
"""
