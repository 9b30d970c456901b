"""The ledger of clues: leads that people follow up, from the insurer to the police and back.

    states       what may become of a clue, and by whom, in one table
    content      what a clue says of persons and things; erased after its time
    clue         a clue as the ledger holds it
    history      what was done with it, which nothing changes
    leads        clues are made of a file of leads
    steps        from state to state, and who may
    ledger       what people do with clues before they are transferred
    deciding     what the police do with them
    merging      one clue of several insurers
    letters      what one node signs and hands the other about a clue
    outbox       letters that wait until the other node has them
    hearing      letters that come, each once
    posting      both ends of handing a letter over
    sealed       how letters and receipts are signed
    counting     the monthly report; reporting is how it looks
    erasing      when a ticket's time is over
    concluded    what clues came to, for those who look what they have in common

A clue says that somebody should look. No word of the ledger says more about a person.
"""
